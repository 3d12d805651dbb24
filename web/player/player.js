/**
 * What all players share: how a frame looks, what happens, and which moment is at the loudspeaker.
 */

import { RATE } from "./opus.js";

/**
 * More sound than this in hand is a fault of who pushes it (the server's credit is 10 s), in milliseconds.
 */
const MOST_HELD_MS = 60_000;
/** Of `progress` at most 20 a second, but for the last one. */
const LEAST_PROGRESS_MS = 50;
/** Utterances that are over are remembered for `playedMs`, this many of them. */
const REMEMBERED = 32;
/** A latency beyond this, in seconds, is a wrong clock and no loudspeaker. */
const LONGEST_LATENCY_S = 0.5;
const OPUS = 1;

/**
 * One frame of the protocol, as far as a player needs it.
 * @typedef {object} Frame
 * @property {number} position its first sample on the utterance's timeline, in samples at 48 kHz
 * @property {number} duration in samples at 48 kHz; 0 for an empty frame that only says that it is the last
 * @property {boolean} last nothing of the utterance comes after it
 * @property {boolean} segmentStart it holds the first sample of a segment
 * @property {number} kind of payload: 1 is an Opus packet, the only one that can be played
 * @property {Uint8Array} payload
 */

/** @typedef {"webcodecs" | "mediasource" | "managed" | "webrtc"} Kind */

/**
 * Plays utterances one after another, each as its frames say. `output` is to be connected by who makes it.
 *
 * Events (CustomEvent; `at` and all other times are those of performance.now(), in milliseconds):
 * - `playing` {utterance, at, heardAt}: its first sample leaves the audio graph, and reaches the loudspeaker
 * - `underrun` {utterance, at}: there is no more sound, and more is to come
 * - `continued` {utterance, at, gapMs, segmentStart}: it goes on; with `segmentStart` it was the text that
 *   came late, not the network
 * - `played` {utterance, at}: its last sample was heard
 * - `progress` {utterance, playedMs, at}: up to 20 times a second, driven by the audio itself
 * - `error` {message, utterance}: `utterance` is null when it is no single one's
 */
export class Player extends EventTarget {
  /** @type {Map<string, number>} */
  #past = new Map();
  #progressAt = 0;
  /** Whether it plays a track: its sound comes in no frames, and what comes while it cannot be heard is lost. */
  isTrack = false;

  /**
   * @param {Kind} kind
   * @param {string} label what a person reads
   * @param {AudioContext} context at 48 kHz; it may be suspended, nothing is lost
   */
  constructor(kind, label, context) {
    super();
    if (context.sampleRate !== RATE) {
      throw new Error(`The AudioContext runs at ${context.sampleRate} Hz; a player needs ${RATE} Hz.`);
    }
    this.kind = kind;
    this.label = label;
    this.context = context;
    /** All sound passes here. @type {AudioNode} */
    this.output = new GainNode(context, { channelCount: 1, channelCountMode: "explicit" });
  }

  /**
   * Takes the next frame of an utterance; what was begun first is played first. Only a frame at position 0
   * begins one: what comes late of one that was stopped is dropped.
   * @param {string} _utterance a key of the caller's choice; used again after its end it is a new utterance
   * @param {Frame} _frame in the order of the utterance
   * @param {number} _preSkip samples at 48 kHz to drop from the start of what the decoder gives
   */
  push(_utterance, _frame, _preSkip) {}

  /**
   * Of a track: the session whose sound is to be played from now on.
   * @param {import("../realtime.js").Session} _session
   */
  join(_session) {}

  /**
   * Of a track: how much of an utterance has left the server, as `playback` says. The first begins it.
   * @param {string} _utterance
   * @param {import("./heard.js").Told} _told
   */
  told(_utterance, _told) {}

  /**
   * Nothing more will come, although no frame has said so. Unknown and stopped utterances are left alone.
   * @param {string} _utterance
   * @param {number} [_ms] of a track: how long it is; there, more may come up to that
   */
  end(_utterance, _ms) {}

  /** Silence now; everything is dropped. It is usable again at once. */
  stop() {}

  /** Holds what is there. */
  pause() {}

  /** Goes on from where it was. */
  resume() {}

  /**
   * How much of an utterance was heard at the loudspeaker, in milliseconds of its own timeline; never goes
   * back. Still answered for the last 32 that are over or were stopped; 0 for others.
   * @param {string} utterance
   * @returns {number}
   */
  playedMs(utterance) {
    return this.#past.get(utterance) ?? 0;
  }

  /**
   * The utterance that is sounding, or that has begun and waits for more.
   * @returns {string | null}
   */
  current() {
    return null;
  }

  /**
   * Sound in hand, not yet given to the audio graph, in milliseconds.
   * @returns {number}
   */
  heldMs() {
    return 0;
  }

  /** Stops and gives everything back. */
  async close() {
    this.stop();
    this.output.disconnect();
  }

  /**
   * @protected
   * @param {string} type
   * @param {object} detail
   */
  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /**
   * Whether a frame can be played; reports it when it cannot.
   * @protected
   * @param {string} utterance
   * @param {Frame} frame
   */
  playable(utterance, frame) {
    if (frame.kind === OPUS || frame.payload.length === 0) return true;
    this.emit("error", {
      utterance,
      message: `Only Opus can be played here, not payloads of kind ${frame.kind}.`,
    });
    return false;
  }

  /**
   * Whether more of an utterance can be kept; reports it and ends the utterance when it cannot.
   * @protected
   * @param {string} utterance
   */
  hasRoom(utterance) {
    if (this.heldMs() <= MOST_HELD_MS) return true;
    this.emit("error", { utterance, message: `More than ${MOST_HELD_MS / 1000} s of sound wait.` });
    this.end(utterance);
    return false;
  }

  /**
   * Says how far the listener is, unless it was just said.
   * @protected
   * @param {string} utterance
   * @param {number} playedMs
   * @param {boolean} over it was heard to its end, which is always said
   */
  heardUpTo(utterance, playedMs, over) {
    const at = performance.now();
    if (!over && at - this.#progressAt < LEAST_PROGRESS_MS) return;
    this.#progressAt = at;
    this.emit("progress", { utterance, playedMs, at });
  }

  /**
   * @protected
   * @param {string} utterance
   * @param {number} playedMs
   */
  remember(utterance, playedMs) {
    this.#past.delete(utterance);
    this.#past.set(utterance, playedMs);
    const [oldest] = this.#past.keys();
    if (this.#past.size > REMEMBERED && oldest !== undefined) this.#past.delete(oldest);
  }

  /**
   * @protected
   * @param {string} utterance
   */
  forget(utterance) {
    this.#past.delete(utterance);
  }
}

/**
 * The moment of the audio graph that is at the loudspeaker now, in seconds of the context's clock.
 * @param {AudioContext} context
 * @returns {number} never beyond `context.currentTime`
 */
export function heardTime(context) {
  const rendered = context.currentTime;
  const { contextTime = 0, performanceTime = 0 } = context.getOutputTimestamp?.() ?? {};
  if (context.state === "running" && contextTime > 0 && performanceTime > 0) {
    const heard = contextTime + (performance.now() - performanceTime) / 1000;
    if (heard > rendered - LONGEST_LATENCY_S) return Math.min(heard, rendered);
  }
  const told = context.outputLatency || context.baseLatency || 0;
  return Math.max(0, rendered - (told <= LONGEST_LATENCY_S ? told : 0));
}

/**
 * The time of performance.now() at which the audio graph was, or will be, at a moment of the context's clock.
 * @param {AudioContext} context
 * @param {number} time in seconds
 */
export function renderedAt(context, time) {
  return performance.now() - (context.currentTime - time) * 1000;
}

/**
 * The time of performance.now() at which a moment of the context's clock is at the loudspeaker.
 * @param {AudioContext} context
 * @param {number} time in seconds
 */
export function heardAt(context, time) {
  return performance.now() - (heardTime(context) - time) * 1000;
}
