// When which part of an utterance was heard: two clocks, that of the wall and that of the sound, and what ties them.

/**
 * @typedef {object} Span a stretch of sound without a gap
 * @property {number} at when it began, ms
 * @property {number} ms where in the utterance's sound, ms
 * @property {number} until when it ended, or was last heard of, ms
 * @property {number} untilMs where in the utterance's sound, ms
 */

/** Sound that lags the clock by more than this between two reports stood still; less is the grain of the reports, ms. */
const STOOD_STILL_MS = 200;

/** Most spans; more gaps than that in one utterance are no longer told apart. */
const MOST_SPANS = 1024;

/** The stretches in which an utterance sounded. */
export class Sounding {
  constructor() {
    /** @type {Span[]} in order */
    this.spans = [];
    /** Whether it sounds now. */
    this.open = false;
    /** @private whether a report has come since the sound began or went on */
    this.reported = false;
  }

  /** How far it was heard by the last report, ms. */
  get playedMs() {
    return this.spans[this.spans.length - 1]?.untilMs ?? 0;
  }

  /** @param {number} at ms: it begins to sound, or goes on */
  begin(at) {
    const ms = this.playedMs;
    if (this.spans.length < MOST_SPANS) {
      this.spans.push({ at, ms, until: at, untilMs: ms });
    }
    this.open = true;
    this.reported = false;
  }

  /**
   * @param {number} at ms
   * @param {number} playedMs how far it was heard then, ms
   */
  progress(at, playedMs) {
    const span = this.spans[this.spans.length - 1];
    if (span === undefined || at < span.until) {
      return;
    }
    const heard = Math.max(0, playedMs - span.untilMs);
    // The first report after a beginning lags by the loudspeaker's latency.
    const still = this.reported && this.open && at - span.until - heard > STOOD_STILL_MS;
    if (still && this.spans.length < MOST_SPANS) {
      this.spans.push({ at: at - heard, ms: span.untilMs, until: at, untilMs: span.untilMs + heard });
    } else if (this.open) {
      span.until = at;
      span.untilMs += heard;
    } else {
      span.untilMs += heard;
    }
    this.reported = true;
  }

  /**
   * It falls silent.
   *
   * @param {number} at ms
   */
  end(at) {
    const span = this.spans[this.spans.length - 1];
    if (this.open && span !== undefined && at > span.until) {
      span.untilMs += at - span.until;
      span.until = at;
    }
    this.open = false;
  }

  /**
   * @param {number} at ms
   * @returns {number} how far it was heard then, ms; run on by the clock behind the last report while it sounds
   */
  positionAt(at) {
    const span = this.spans[firstAfter(this.spans, "at", at) - 1];
    if (span === undefined) {
      return 0;
    }
    if (at < span.until) {
      return between(at, span.at, span.until, span.ms, span.untilMs);
    }
    const last = span === this.spans[this.spans.length - 1];
    return last && this.open ? span.untilMs + at - span.until : span.untilMs;
  }

  /**
   * @param {number} ms a place in the utterance's sound
   * @returns {number} when it sounded, or will sound if nothing comes between; NaN when it never did
   */
  timeOf(ms) {
    const index = firstAfter(this.spans, "ms", ms) - 1;
    const span = this.spans[index];
    if (span === undefined) {
      return Number.NaN;
    }
    if (ms <= span.untilMs) {
      return between(ms, span.ms, span.untilMs, span.at, span.until);
    }
    if (index < this.spans.length - 1) {
      return span.until;
    }
    return this.open ? span.until + ms - span.untilMs : Number.NaN;
  }
}

/**
 * @param {Span[]} spans
 * @param {"at" | "ms"} key
 * @param {number} value
 * @returns {number} the first span that begins after `value`
 */
function firstAfter(spans, key, value) {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((spans[middle]?.[key] ?? 0) <= value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/** @type {(x: number, fromX: number, toX: number, fromY: number, toY: number) => number} */
function between(x, fromX, toX, fromY, toY) {
  return toX > fromX ? fromY + ((x - fromX) / (toX - fromX)) * (toY - fromY) : fromY;
}
