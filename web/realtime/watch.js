import { Pulse } from "./pulse.js";

/**
 * What a watch needs of its session. `expects`: whether the server has something to say at this time; `ask` it
 * whether it is there; `lost`: it is not.
 * @typedef {{expects: (now: number) => boolean, ask: () => void, lost: () => void}} Watched
 */

/** Looks after a connection, whenever silence could mean that it is dead. */
export class Watch {
  #stallMs;
  #watched;
  #pulse;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {number} stallMs after so much silence the server is asked, and after as much again it is gone
   * @param {Watched} watched
   */
  constructor(stallMs, watched) {
    this.#stallMs = stallMs;
    this.#watched = watched;
    this.#pulse = new Pulse(stallMs, performance.now());
  }

  /** There is a new connection. */
  begin() {
    this.#pulse = new Pulse(this.#stallMs, performance.now());
    this.#wait();
  }

  /** There is no connection. */
  end() {
    clearTimeout(this.#timer);
  }

  /** Something came. @param {number} now */
  heard(now) {
    this.#pulse.heard(now);
  }

  /** Something was sent that a `pong` will confirm. @param {number} now */
  sent(now) {
    this.#pulse.sent(now);
  }

  /** A `pong` came; `everything` that was sent is confirmed by it. @param {boolean} everything */
  answered(everything) {
    this.#pulse.answered(everything);
  }

  #wait() {
    clearTimeout(this.#timer);
    const deadline = this.#pulse.deadline;
    this.#timer = setTimeout(() => this.#look(deadline), Math.max(0, deadline - performance.now()));
  }

  /** @param {number} deadline */
  #look(deadline) {
    const now = performance.now();
    // The program did not run, and may have heard nothing therefore.
    if (now > deadline + this.#stallMs / 2) this.#pulse.held(now);
    const verdict = this.#pulse.judge(now, this.#watched.expects(now));
    if (verdict === "lost") {
      this.#watched.lost();
      return;
    }
    this.#wait();
    if (verdict === "ask") this.#watched.ask();
  }
}
