/** @import {ServerMessage, WireWord} from "./wire.js" */

/** A server keeps no more contexts than this that are over; the newest of ours are told to it. */
const MOST_OVER = 256;

/** What has come of one context. */
class Seen {
  nextSeq = 0;
  /** Whether what comes now may have come before: until there is a new frame. */
  repeats = false;
  opened = false;
  segment = -1;
  final = true;
  /** Where the last word stands: segment, end, start, place in the text. @type {number[]} */
  word = [-1, 0, 0, 0];
  done = false;
  cancelled = false;
}

/**
 * What has come of each context, so that nothing is taken twice when the server sends it again. No I/O.
 *
 * After a loss the server repeats what came behind the last frame that it is told of, in the old order: frames
 * have numbers, segments have an index, words stand in the order of their sound, and all else comes once.
 */
export class Received {
  /** @type {Map<number, Seen>} */
  #seen = new Map();
  /** @type {Set<number>} */
  #over = new Set();

  /** The `last` of a `session.start` that takes up the session. */
  last() {
    /** @type {Record<string, number>} */
    const last = {};
    for (const [handle, seen] of this.#seen) if (seen.nextSeq > 0) last[handle] = seen.nextSeq - 1;
    return last;
  }

  /** From here on the server repeats what it does not know to have come. */
  resumed() {
    for (const seen of this.#seen.values()) seen.repeats = true;
  }

  /**
   * A frame came; false when it has come before.
   * @param {number} handle
   * @param {number} seq
   */
  frame(handle, seq) {
    const seen = this.#of(handle);
    if (seq < seen.nextSeq) return false;
    seen.nextSeq = seq + 1;
    seen.repeats = false;
    return true;
  }

  /**
   * A message came; null when it has come before, else what is new of it.
   * @param {ServerMessage} message
   * @returns {ServerMessage | null}
   */
  message(message) {
    if (!message.handle) return message;
    const seen = this.#of(message.handle);
    switch (message.type) {
      case "words":
        return newWords(seen, message);
      case "segment":
        return isNewSegment(seen, message) ? message : null;
      case "context.opened":
        return once(seen, "opened", message);
      case "context.done":
        this.#end(message.handle);
        return once(seen, "done", message);
      case "context.cancelled":
        this.#end(message.handle);
        return once(seen, "cancelled", message);
      default:
        return message;
    }
  }

  /** Whether the end of a context by a cancel has been told. @param {number} handle */
  isCancelled(handle) {
    return this.#seen.get(handle)?.cancelled ?? false;
  }

  /** @param {number} handle */
  #of(handle) {
    let seen = this.#seen.get(handle);
    if (seen === undefined) {
      seen = new Seen();
      this.#seen.set(handle, seen);
    }
    return seen;
  }

  /** @param {number} handle */
  #end(handle) {
    this.#over.add(handle);
    if (this.#over.size <= MOST_OVER) return;
    const [oldest] = this.#over;
    if (oldest === undefined) return;
    this.#over.delete(oldest);
    this.#seen.delete(oldest);
  }
}

/**
 * @param {Seen} seen
 * @param {"opened" | "done" | "cancelled"} what
 * @param {ServerMessage} message
 */
function once(seen, what, message) {
  if (seen[what]) return null;
  seen[what] = true;
  return message;
}

/**
 * @param {Seen} seen
 * @param {ServerMessage} message
 */
function isNewSegment(seen, { index = 0, final = true }) {
  const completes = index === seen.segment && final && !seen.final;
  if (seen.repeats && index <= seen.segment && !completes) return false;
  seen.segment = index;
  seen.final = final;
  return true;
}

/**
 * @param {Seen} seen
 * @param {ServerMessage} message
 */
function newWords(seen, message) {
  const { segment = 0, words = [] } = message;
  const last = seen.word;
  const newest = words.at(-1);
  if (newest !== undefined && isBehind(placeOf(segment, newest), last)) seen.word = placeOf(segment, newest);
  if (!seen.repeats) return message;
  const fresh = words.filter((word) => isBehind(placeOf(segment, word), last));
  return fresh.length > 0 ? { ...message, words: fresh } : null;
}

/**
 * @param {number} segment
 * @param {WireWord} word
 */
function placeOf(segment, word) {
  return [segment, word.end_ms, word.start_ms, word.source[0]];
}

/**
 * @param {number[]} place
 * @param {number[]} other
 */
function isBehind(place, other) {
  const index = place.findIndex((value, at) => value !== other[at]);
  return index >= 0 && /** @type {number} */ (place[index]) > /** @type {number} */ (other[index]);
}
