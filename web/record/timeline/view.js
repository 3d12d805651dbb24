// Which stretch of time the timeline shows, and where its rows are.

/** @typedef {import("../log.js").UtteranceLog} UtteranceLog */
/** @typedef {"auto" | "whole" | "follow" | "free"} Mode */
/** @typedef {{y: number, height: number, label: string}} Row places in CSS pixels */
/** @typedef {"text" | "made" | "packets" | "speech" | "playing" | "hand"} RowName */

/** What is longer is followed while it is spoken, ms. */
const WHOLE_UP_TO_MS = 30_000;
/** How much time is shown while one follows, and which part of it lies ahead. */
const FOLLOWED_MS = 14_000;
const AHEAD = 0.4;
const LEAST_SPAN_MS = 20;
/** Width from which the rows' names stand beside them, CSS pixels. */
const WIDE = 620;
const GUTTER = 74;
/** Part of the time shown that is left free before the beginning and behind the end. */
const MARGIN = 0.012;

/** The stretch of time shown. Times are milliseconds from the utterance's first event. */
export class View {
  constructor() {
    this.from = 0;
    this.until = 1000;
    /** @type {Mode} */
    this.mode = "auto";
    /** Where time begins, and how much room it has, CSS pixels. */
    this.left = 0;
    this.width = 1;
    /** Whether changes are shown at once. */
    this.still = false;
    /** @private */
    this.fresh = true;
    /** @private */
    this.span = FOLLOWED_MS;
  }

  /** Whether it follows what is heard now. */
  get follows() {
    return this.mode === "follow" || (this.mode === "auto" && this.following);
  }

  /** @private set by `update` */
  following = false;

  /** Begins anew, with another utterance. */
  reset() {
    this.mode = "auto";
    this.fresh = true;
    this.span = FOLLOWED_MS;
  }

  /** @param {number} width of everything, CSS pixels */
  resize(width) {
    this.left = width >= WIDE ? GUTTER : 0;
    this.width = Math.max(1, width - this.left);
  }

  /**
   * @param {number} end of all there is to see, ms
   * @param {number} now ms
   * @param {boolean} live whether the utterance goes on
   * @param {number} passed since the last call, ms
   * @returns {boolean} whether the view is not yet where it will be
   */
  update(end, now, live, passed) {
    this.following = live && end > WHOLE_UP_TO_MS;
    if (this.mode === "free") {
      return false;
    }
    const margin = (this.follows ? this.span : end) * MARGIN;
    const from = this.follows ? Math.max(-margin, now - this.span * (1 - AHEAD)) : -margin;
    const until = this.follows ? from + this.span : end + margin;
    const part = this.fresh || this.still ? 1 : 1 - Math.exp(-passed / 90);
    this.fresh = false;
    this.from += (from - this.from) * part;
    this.until += (until - this.until) * part;
    const near = Math.abs(until - this.until) + Math.abs(from - this.from) < (until - from) * 0.0005;
    if (near) {
      this.from = from;
      this.until = until;
    }
    return !near;
  }

  /** @param {number} time ms @returns {number} CSS pixels */
  x(time) {
    return this.left + ((time - this.from) / (this.until - this.from)) * this.width;
  }

  /** @param {number} x CSS pixels @returns {number} ms */
  time(x) {
    return this.from + ((x - this.left) / this.width) * (this.until - this.from);
  }

  /**
   * @param {number} factor below 1: nearer
   * @param {number} around the time that stays where it is, ms
   */
  zoom(factor, around) {
    if (this.follows) {
      this.span = Math.max(LEAST_SPAN_MS, this.span * factor);
      return;
    }
    this.mode = "free";
    const room = Math.max(LEAST_SPAN_MS / (this.until - this.from), factor);
    this.from = around - (around - this.from) * room;
    this.until = around + (this.until - around) * room;
  }

  /** @param {number} by ms */
  pan(by) {
    this.mode = "free";
    this.from += by;
    this.until += by;
  }

  /** @param {number} time ms: made visible */
  reveal(time) {
    const span = this.until - this.from;
    if (time < this.from || time > this.until) {
      this.pan(time - span / 2 - this.from);
    }
  }
}

/** @type {[RowName, string, number, number][]} name, label, height, room above it */
const ROWS = [
  ["text", "Text", 24, 4],
  ["made", "Synthesis", 14, 16],
  ["packets", "Packets", 22, 8],
  ["speech", "Speech", 30, 24],
  ["playing", "Playing", 8, 3],
  ["hand", "In hand", 54, 18],
];
/** Height of the times on top, under which stand the labels of what happened; CSS pixels. */
export const AXIS_HEIGHT = 20;
const FLAGS_HEIGHT = 17;
const LABEL_HEIGHT = 14;

/**
 * @param {number} width of everything, CSS pixels
 * @returns {{rows: Record<RowName, Row>, height: number, beside: boolean}} `beside`: the rows' names stand beside them,
 *   not above
 */
export function layoutOf(width) {
  const beside = width >= WIDE;
  const rows = /** @type {Record<RowName, Row>} */ ({});
  let y = AXIS_HEIGHT + FLAGS_HEIGHT;
  for (const [name, label, height, above] of ROWS) {
    // The bar of what plays belongs to the boxes above it.
    const room =
      beside || name === "playing" ? above : Math.max(above, name === "hand" ? 32 : LABEL_HEIGHT + 4);
    y += room;
    rows[name] = { y, height, label };
    y += height;
  }
  return { rows, height: y + 6, beside };
}
