/** How much sound must be in hand before an utterance begins, or goes on after an underrun. */

/**
 * Three packets of 20 ms, two of 40 or one of 60; the first is shorter. They come together, so it costs
 * nothing.
 */
const LEAST_MS = 50;
/** Whoever waits longer than this thinks that it is broken. */
const MOST_MS = 400;
/** After this much sound without an underrun half of what was added goes. */
const FORGIVEN_AFTER_MS = 15_000;

/** Grows with each underrun, shrinks again while nothing happens, and stays within bounds. */
export class StartThreshold {
  #ms = LEAST_MS;
  #goodMs = 0;

  /** In milliseconds of sound, 50 to 400. */
  get ms() {
    return this.#ms;
  }

  /** An underrun that more sound in hand would have spared. */
  grow() {
    this.#ms = Math.min(MOST_MS, this.#ms * 2);
    this.#goodMs = 0;
  }

  /**
   * So much more has sounded without a break.
   * @param {number} ms
   */
  sounded(ms) {
    this.#goodMs += ms;
    while (this.#goodMs >= FORGIVEN_AFTER_MS && this.#ms > LEAST_MS) {
      this.#goodMs -= FORGIVEN_AFTER_MS;
      this.#ms = Math.max(LEAST_MS, this.#ms / 2);
    }
    this.#goodMs = Math.min(this.#goodMs, FORGIVEN_AFTER_MS);
  }
}
