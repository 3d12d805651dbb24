// What the timeline shows of a log: each segment's way from text to sound, in milliseconds from the first event.

/** @typedef {import("../log.js").UtteranceLog} UtteranceLog */
/** @typedef {import("../log.js").Segment} Segment */

/**
 * @typedef {object} Leg one segment's way; what has not happened is NaN
 * @property {Segment} segment
 * @property {number} textFrom when its first piece of text left
 * @property {number} textUntil when its last piece left
 * @property {number} madeFrom when it was told
 * @property {number} cameFrom when its first sound came
 * @property {number} cameUntil when its latest sound came
 * @property {number} soundFrom when it was heard, or would be
 * @property {number} soundUntil
 * @property {number} heardUntil the end of what was heard of it so far
 * @property {boolean} heard whether any of it was heard
 */

/** Where an utterance is, seen at one moment. */
export class Course {
  /**
   * @param {UtteranceLog} log
   * @param {number} now of `performance.now()`
   */
  constructor(log, now) {
    this.log = log;
    this.zero = Number.isNaN(log.firstAt) ? now : log.firstAt;
    this.live = !log.over && !Number.isNaN(log.firstAt);
    /** Now, or the last event of what is over. */
    this.now = (this.live ? now : log.latestAt) - this.zero;
  }

  /** @param {number} at of `performance.now()` @returns {number} ms from the first event */
  since(at) {
    return at - this.zero;
  }

  /** The end of all there is to see. */
  get end() {
    const { log } = this;
    const sound = this.soundTime(log.receivedMs);
    const known = Math.max(this.now, this.since(log.latestAt), 1);
    if (log.interrupted) {
      // A part of what was not heard, so that one sees that there was more.
      return known + Math.min(known * 0.25, Math.max(0, (Number.isNaN(sound) ? known : sound) - known));
    }
    return Number.isNaN(sound) ? known : Math.max(known, sound);
  }

  /**
   * @param {number} ms a place in the sound
   * @returns {number} when it was heard, or would be if nothing came between; NaN while nothing has sounded
   */
  soundTime(ms) {
    const { sounding } = this.log;
    const time = sounding.timeOf(ms);
    if (!Number.isNaN(time)) {
      return this.since(time);
    }
    const last = sounding.spans[sounding.spans.length - 1];
    if (last === undefined) {
      return Number.NaN;
    }
    const dry = this.live && this.log.isDry;
    return (dry ? this.now : this.since(last.until)) + ms - last.untilMs;
  }

  /**
   * @param {number} from ms
   * @param {number} until ms
   * @returns {Leg[]} of the segments of which something lies in that time
   */
  legs(from, until) {
    const legs = [];
    for (let index = 0; index < this.log.segments.length; index += 1) {
      const leg = this.leg(index);
      const last = Math.max(leg.madeFrom, orLess(leg.soundUntil), orLess(leg.cameUntil));
      const first = Math.min(leg.madeFrom, orMore(leg.textFrom));
      if (last >= from && first <= until) {
        legs.push(leg);
      }
    }
    return legs;
  }

  /** @param {number} index of the log's segments @returns {Leg} */
  leg(index) {
    const { log } = this;
    const segment = /** @type {Segment} */ (log.segments[index]);
    const [start, end] = segment.range;
    const first = log.tokens.search("end", start + 1);
    const last = Math.min(log.tokens.search("end", end), log.tokens.length - 1);
    const endMs = Math.min(log.segmentEndMs(index), log.receivedMs);
    const came = !Number.isNaN(segment.firstFrameAt);
    return {
      segment,
      textFrom: this.since(log.tokens.at("at", first)),
      textUntil: this.since(log.tokens.at("until", last)),
      madeFrom: this.since(segment.at),
      cameFrom: this.since(segment.firstFrameAt),
      cameUntil: this.since(segment.lastFrameAt),
      soundFrom: came ? this.soundTime(segment.startMs) : Number.NaN,
      soundUntil: came ? this.soundTime(Math.max(endMs, segment.startMs)) : Number.NaN,
      heardUntil: this.soundTime(Math.min(endMs, log.heardMs)),
      heard: log.heardMs > segment.startMs,
    };
  }

  /**
   * @param {number} position in the text, UTF-16 units
   * @returns {number} index of the segment that holds it, or of the one before; -1 when there is none yet
   */
  segmentOfText(position) {
    return lastAtOrBefore(
      this.log.segments,
      position,
      (segment) => segment.range[0],
      (segment) => segment.range[1],
    );
  }

  /**
   * @param {number} ms a place in the sound
   * @returns {number} index of its segment; -1 when there is none
   */
  segmentOfSound(ms) {
    return lastAtOrBefore(this.log.segments, ms, (segment) => segment.startMs);
  }
}

/**
 * @template T
 * @param {T[]} list in order
 * @param {number} value
 * @param {(each: T) => number} begin
 * @param {(each: T) => number} [end] if given, what lies behind the last one's is in none
 * @returns {number} the last index whose begin is at or before `value`; -1 when there is none
 */
export function lastAtOrBefore(list, value, begin, end) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (begin(/** @type {T} */ (list[middle])) <= value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const found = list[low - 1];
  if (found !== undefined && low === list.length && end !== undefined && value >= end(found)) {
    return -1;
  }
  return low - 1;
}

/** @param {number} value */
function orLess(value) {
  return Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
}

/** @param {number} value */
function orMore(value) {
  return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
}
