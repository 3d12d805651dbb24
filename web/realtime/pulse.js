/**
 * Whether the other side is still there, told by silence. No I/O and no clock: times are milliseconds.
 *
 * 1. Who expects something and hears nothing for `stallMs`, or has sent what is not confirmed after so long,
 *    asks.
 * 2. Silence for `stallMs` after that is a loss; so is no answer for twice as long though sound comes, for
 *    then the way to the server is cut.
 * 3. Time in which this program did not run (a laptop that slept, a tab that was frozen) counts for nothing.
 */
export class Pulse {
  #stallMs;
  #heard;
  /** @type {number | null} */
  #asked = null;
  /** @type {number | null} */
  #unconfirmed = null;

  /**
   * @param {number} stallMs
   * @param {number} now since when the connection is there
   */
  constructor(stallMs, now) {
    this.#stallMs = stallMs;
    this.#heard = now;
  }

  /** Something came. @param {number} now */
  heard(now) {
    this.#heard = now;
  }

  /** Something was sent that a `pong` will confirm. @param {number} now */
  sent(now) {
    this.#unconfirmed ??= now;
  }

  /** A `pong` came; `everything` that was sent is confirmed by it. @param {boolean} everything */
  answered(everything) {
    this.#asked = null;
    this.#unconfirmed = everything ? null : this.#heard;
  }

  /** Up to now nothing could be heard. @param {number} now */
  held(now) {
    this.#heard = now;
    if (this.#asked !== null) this.#asked = now;
    if (this.#unconfirmed !== null) this.#unconfirmed = now;
  }

  /** When to judge, if nothing comes. */
  get deadline() {
    return Math.max(this.#heard, this.#asked ?? 0) + this.#stallMs;
  }

  /**
   * What to do now; `expects`: the server has something to say.
   * @param {number} now
   * @param {boolean} expects
   * @returns {"wait" | "ask" | "lost"}
   */
  judge(now, expects) {
    if (this.#asked === null) {
      const silent = expects && now >= this.#heard + this.#stallMs;
      const unsure = this.#unconfirmed !== null && now >= this.#unconfirmed + this.#stallMs;
      if (silent || unsure) {
        this.#asked = now;
        return "ask";
      }
      if (now >= this.deadline) this.#heard = now; // nothing is expected: look again later
      return "wait";
    }
    const silent = now >= Math.max(this.#heard, this.#asked) + this.#stallMs;
    return silent || now >= this.#asked + 2 * this.#stallMs ? "lost" : "wait";
  }
}
