/** An utterance on its way through a deck: how far it is, and how far of it was heard. */

import { packetSamples, RATE } from "./opus.js";

/** @typedef {import("./deck.js").Deck} Deck */
/** @typedef {import("./player.js").Frame} Frame */

/** So long is remembered what sounded when, in seconds: no loudspeaker is later. */
const REMEMBERED_S = 0.6;

/** One utterance; positions in samples of its timeline, times in seconds of the context's clock. */
export class Utterance {
  /** @type {Deck | null} */
  deck = null;
  /** Those that came before there was a deck. @type {Frame[]} */
  frames = [];
  /** Where the frames end that came. */
  pushed = 0;
  /** When the last of them came, by performance.now(). */
  pushedAt = 0;
  complete = false;
  /** Its first sample left the graph. @type {number | null} */
  startTime = null;
  /** Its last sample left the graph. @type {number | null} */
  endTime = null;
  /** It has no more sound, since when by performance.now(). @type {number | null} */
  dryAt = null;
  /** The browser waits for more sound than there is. */
  stalled = false;
  /** The stretch of real sound it is in. */
  run = 0;
  /** What came first after silence or a stall begins a segment. */
  segmentStart = false;
  /** What was next when, of late. @type {Array<{time: number, position: number}>} */
  clock = [];
  heard = 0;

  /**
   * @param {string} key
   * @param {number} preSkip
   */
  constructor(key, preSkip) {
    this.key = key;
    this.preSkip = preSkip;
  }

  /** What leaves the graph next. */
  get position() {
    if (this.endTime !== null) return this.pushed;
    if (this.startTime === null || !this.deck?.timeline) return 0;
    return Math.min(this.deck.timeline.positionAt(this.deck.media), this.pushed);
  }

  /** @param {number} time */
  note(time) {
    this.clock.push({ time, position: this.position });
    while ((this.clock[1]?.time ?? time) < time - REMEMBERED_S) this.clock.shift();
  }

  /**
   * How far the listener was when this moment of the clock is at the loudspeaker; never goes back.
   * @param {number} time
   */
  heardAt(time) {
    const index = this.clock.findLastIndex((one) => one.time <= time);
    const [at, next] = [this.clock[index], this.clock[index + 1]];
    if (this.endTime !== null && time >= this.endTime) this.heard = this.pushed;
    else if (at) {
      const since = next ? Math.min((time - at.time) * RATE, next.position - at.position) : 0;
      this.heard = Math.max(this.heard, at.position + since);
    }
    return (this.heard * 1000) / RATE;
  }
}

/**
 * Gives a deck the next frame.
 * @param {Utterance} one
 * @param {Deck} deck
 * @param {Frame} frame
 */
export function feed(one, deck, frame) {
  if (deck.timeline?.filled || one.stalled) one.segmentStart = frame.segmentStart;
  if (frame.payload.length > 0) deck.add(frame.payload, packetSamples(frame.payload));
}
