// Sound in hand: what has come and was not yet heard.

import { Points } from "./points.js";

/** Between two reports of the player it is noted so often at most, ms. */
const NOTED_EVERY_MS = 40;

/** How much sound an utterance has in hand over time. */
export class Hand {
  constructor() {
    /** `held` (ms of sound) at `at` (ms), and the least of it since the row before. */
    this.points = new Points({ at: "first", held: "last", low: "min" });
    /** @private */
    this.ms = 0;
    /** @private */
    this.at = Number.NaN;
    /** @private whether it is being heard, and so gets less by the clock */
    this.sounds = false;
  }

  /**
   * @param {number} at ms
   * @param {number} more sound that has come, ms
   */
  arrived(at, more) {
    this.note(at, this.msAt(at) + more, false);
  }

  /**
   * @param {number} at ms
   * @param {number} ms what the player has in hand
   */
  reported(at, ms) {
    this.note(at, ms, true);
  }

  /**
   * @param {number} at ms
   * @param {boolean} sounds whether it is being heard from now on
   */
  turn(at, sounds) {
    this.note(at, this.msAt(at), true);
    this.sounds = sounds;
  }

  /** @param {number} at ms: nothing is left, and nothing sounds */
  emptied(at) {
    this.note(at, this.msAt(at), true);
    this.note(at, 0, true);
    this.sounds = false;
  }

  /**
   * @param {number} at ms, not before the last that happened
   * @returns {number} sound in hand then, ms, by the clock
   */
  msAt(at) {
    const gone = this.sounds ? Math.max(0, at - this.at) : 0;
    return Math.max(0, this.ms - gone);
  }

  /** @private @type {(at: number, ms: number, always: boolean) => void} */
  note(at, ms, always) {
    this.ms = ms;
    this.at = at;
    const noted = this.points.at("at", -1);
    if (always || Number.isNaN(noted) || at - noted >= NOTED_EVERY_MS) {
      this.points.push({ at, held: ms, low: ms });
    }
  }
}
