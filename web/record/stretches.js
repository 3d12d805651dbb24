// Times in which something went on: an outage, a wait, an underrun.

/** @typedef {{from: number, until: number, position: number}} Stretch `until` is NaN while it lasts; times in ms */

/** Most stretches that are kept one by one; the count and the sum go on. */
const MOST_KEPT = 1000;

/** Stretches of time, one after another. */
export class Stretches {
  constructor() {
    /** @type {Stretch[]} in order */
    this.list = [];
    /** How many there were. */
    this.count = 0;
    /** How long those were that are over, ms. */
    this.ms = 0;
    /** When the one began that still lasts; NaN when none does. */
    this.since = Number.NaN;
  }

  /**
   * One begins, unless one lasts.
   *
   * @param {number} at ms
   * @param {number} position in the utterance's sound, ms
   */
  begin(at, position = 0) {
    if (!Number.isNaN(this.since)) {
      return;
    }
    this.since = at;
    this.count += 1;
    if (this.list.length < MOST_KEPT) {
      this.list.push({ from: at, until: Number.NaN, position });
    }
  }

  /**
   * The one that lasts is over, if one does.
   *
   * @param {number} at ms
   * @param {number} ms how long it was, where that is known better than by the clock
   */
  end(at, ms = at - this.since) {
    if (Number.isNaN(this.since)) {
      return;
    }
    const last = this.list[this.list.length - 1];
    if (last !== undefined && Number.isNaN(last.until)) {
      last.until = at;
    }
    this.ms += ms;
    this.since = Number.NaN;
  }

  /**
   * The one that lasts was one of another kind: it goes on there.
   *
   * @param {Stretches} others
   */
  moveTo(others) {
    if (Number.isNaN(this.since)) {
      return;
    }
    const last = this.list[this.list.length - 1];
    const isKept = last !== undefined && Number.isNaN(last.until);
    others.begin(this.since, isKept ? last.position : 0);
    if (isKept) {
      this.list.pop();
    }
    this.count -= 1;
    this.since = Number.NaN;
  }

  /**
   * @param {number} from ms
   * @param {number} until ms
   * @returns {number} how much of that time they took, ms
   */
  within(from, until) {
    let sum = 0;
    for (const each of this.list) {
      const end = Number.isNaN(each.until) ? until : each.until;
      sum += Math.max(0, Math.min(end, until) - Math.max(each.from, from));
    }
    return sum;
  }
}
