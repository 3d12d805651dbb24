/** How far the listener of a track is: by what the server says has left, and the clock. No I/O, no clock of its own. */

/**
 * What the server says: so much has left, and whether it moves on from there. `at`: when that came.
 * @typedef {{state: "playing" | "waiting" | "ended", played_ms: number, at: number}} Told
 */

/**
 * What happens to an utterance, at a time when nothing is late.
 * @typedef {object} Happening
 * @property {"playing" | "underrun" | "continued" | "played"} type
 * @property {number} at
 * @property {number} gapMs how long it had been silent, for `continued`
 * @property {number} positionMs where in the sound
 */

/** A packet: its sound begins when it leaves, and is over so much later. */
const PACKET_MS = 20;
/** The server tells every second where it is. When it says nothing more, the position runs on for so long. */
const RUNS_ON_MS = 1500;

/** One utterance. All times are those of what left the server; who hears it later takes that off. */
export class Heard {
  /** What was told and did not yet happen. @type {Told[]} */
  #told = [];
  /** The moment of its sound's beginning, had it never stood still: the earliest that was told. */
  #origin = Number.POSITIVE_INFINITY;
  /** It does not go beyond this, in ms. */
  #limit = 0;
  #moves = false;
  #heard = 0;
  /** How long its sound is; NaN while that is not known. */
  #length = Number.NaN;
  /** No more is told: it ends where it stands still. */
  #isLast = false;
  #standsSince = 0;
  #toldAt = 0;
  /** Whether its first sound is heard. */
  hasBegun = false;
  #isOver = false;

  /** @param {Told} told */
  told(told) {
    this.#told.push(told);
  }

  /** @param {number} ms how long its sound is; NaN: not known, but nothing more comes */
  end(ms) {
    if (Number.isNaN(ms)) this.#isLast = true;
    else this.#length = ms;
  }

  /** Nothing was told for a while: it may stand still, go on, or be over. @param {number} at */
  goesOn(at) {
    if (this.#moves || !this.hasBegun) return;
    this.#moves = true;
    this.#origin = at - this.#heard;
    this.#toldAt = at;
    this.#limit = this.#heard + RUNS_ON_MS;
  }

  /**
   * How much of it was heard, in ms; does not go back.
   * @param {number} time
   */
  at(time) {
    const position = this.hasBegun ? Math.min(time - this.#origin, this.#limit) : 0;
    const most = Number.isNaN(this.#length) ? position : Math.min(position, this.#length);
    this.#heard = Math.max(this.#heard, most);
    return this.#heard;
  }

  /**
   * What has happened up to a time, in order.
   * @param {number} time
   * @returns {Happening[]}
   */
  happened(time) {
    /** @type {Happening[]} */
    const found = [];
    for (let [told] = this.#told; told !== undefined && !this.#isOver; [told] = this.#told) {
      // The last packet sounds after it has left; what stands still is told of when that is over.
      const at = told.at + (told.state === "ended" ? PACKET_MS : 0);
      if (at > time) break;
      this.#told.shift();
      this.#take(told, at, found);
    }
    this.#endUntold(time, found);
    return found;
  }

  /** @type {(told: Told, at: number, found: Happening[]) => void} */
  #take({ state, played_ms: playedMs }, at, found) {
    this.#toldAt = at;
    if (state === "playing") {
      const positionMs = Math.max(0, playedMs - PACKET_MS);
      if (!this.#moves) {
        const gapMs = this.hasBegun ? at - this.#standsSince : 0;
        found.push({ type: this.hasBegun ? "continued" : "playing", at, gapMs, positionMs });
        this.#origin = Number.POSITIVE_INFINITY;
      }
      this.hasBegun = this.#moves = true;
      // What is told late is told by a busy machine: the sound was not late.
      this.#origin = Math.min(this.#origin, at - positionMs);
      this.#limit = playedMs + RUNS_ON_MS;
      return;
    }
    if (!this.hasBegun) found.push({ type: "playing", at: at - playedMs, gapMs: 0, positionMs: 0 });
    this.hasBegun = true;
    this.#limit = playedMs;
    this.#heard = Math.max(this.#heard, Math.min(playedMs, this.#limit));
    if (state === "ended" || this.#isLast) this.#end(at, found);
    else if (this.#moves) {
      this.#standsSince = at;
      found.push({ type: "underrun", at, gapMs: 0, positionMs: playedMs });
    }
    this.#moves = false;
  }

  /** Its end may have been told while there was no socket. @type {(time: number, found: Happening[]) => void} */
  #endUntold(time, found) {
    if (this.#isOver || !this.hasBegun) return;
    const stands = !this.#moves && this.#isLast;
    const isPast = this.#moves && time - this.#origin > this.#length && time - this.#toldAt > RUNS_ON_MS;
    if (stands || isPast) {
      if (isPast) this.#limit = this.#length;
      this.#end(stands ? this.#standsSince : this.#origin + this.#length, found);
    }
  }

  /** @type {(at: number, found: Happening[]) => void} */
  #end(at, found) {
    this.#isOver = true;
    found.push({ type: "played", at, gapMs: 0, positionMs: this.#limit });
  }
}
