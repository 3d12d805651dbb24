/** The player with the shortest way: WebCodecs decodes, an AudioWorklet plays. */

import { Decoding, tryDecoder } from "./decoding.js";
import { heardAt, heardTime, MOST_HELD_MS, Player, RATE, renderedAt } from "./player.js";
import { StartThreshold } from "./threshold.js";

/** @typedef {import("./player.js").Frame} Frame */

/** Stretches of sound to remember: the loudspeaker is late by fewer. */
const RUNS = 4;
/** Of `progress` at most 20 a second, but for the last one. */
const LEAST_PROGRESS_MS = 50;

/**
 * @param {AudioContext} context at 48 kHz, may be suspended
 * @returns {Promise<Player>} rejects with an Error when this browser cannot decode Opus
 */
export async function createWebCodecsPlayer(context) {
  const worklet = new URL("./worklet.js", import.meta.url).href;
  await Promise.all([tryDecoder(), context.audioWorklet.addModule(worklet)]);
  return new WebCodecsPlayer(context);
}

/** One utterance and when which of its samples sounded. Frames are those of the audio graph. */
class Utterance {
  /** @type {Array<{frame: number, position: number, stop: number}>} the last stretches without a break */
  runs = [];
  started = false;
  /** Behind its last sample; null as long as that has not been played. @type {number | null} */
  endFrame = null;
  /** Since when it has run dry, and whether what came next begins a segment. */
  /** @type {{frame: number, segmentStart: boolean | null} | null} */
  dry = null;
  /** Samples heard. */
  heard = 0;

  /**
   * @param {string} key
   * @param {number} id
   * @param {Decoding} decoding
   */
  constructor(key, id, decoding) {
    this.key = key;
    this.id = id;
    this.decoding = decoding;
  }

  /**
   * The position of the sample that is next at a frame.
   * @param {number} frame
   */
  positionAt(frame) {
    const run = this.runs.findLast((one) => one.frame <= frame);
    if (!run) return 0;
    // Beyond what the worklet has there is nothing to play, whatever the clock says.
    return Math.min(this.decoding.decoded, run.position + Math.min(frame, run.stop) - run.frame);
  }
}

class WebCodecsPlayer extends Player {
  /** Those that were not heard to their end, in the order of playing. @type {Map<number, Utterance>} */
  #live = new Map();
  #ids = 0;
  #threshold = new StartThreshold();
  #node;
  /** Made ahead, for that takes a while. @type {Decoding | null} */
  #spare = null;
  #closed = false;
  #progressAt = 0;

  /** @param {AudioContext} context that has the worklet's module */
  constructor(context) {
    super("webcodecs", "WebCodecs", context);
    this.#node = new AudioWorkletNode(context, "playout", {
      numberOfInputs: 0,
      outputChannelCount: [1],
      processorOptions: { threshold: this.#thresholdSamples() },
    });
    this.#node.connect(this.output);
    this.#node.port.onmessage = ({ data }) => this.#told(data);
    this.#node.onprocessorerror = () =>
      this.emit("error", { utterance: null, message: "The player in the audio thread has failed." });
    this.#spare = new Decoding();
  }

  /**
   * @override
   * @param {string} key
   * @param {Frame} frame
   * @param {number} preSkip
   */
  push(key, frame, preSkip) {
    if (this.#closed || !this.playable(key, frame)) return;
    const one = this.#find(key) ?? this.#begin(key, preSkip);
    if (one.decoding.complete) return;
    if (this.heldMs() > MOST_HELD_MS) {
      this.emit("error", { utterance: key, message: `More than ${MOST_HELD_MS / 1000} s of sound wait.` });
      one.decoding.end();
      return;
    }
    if (one.dry) this.#cameLate(one.dry, frame.segmentStart);
    one.decoding.decode(frame);
  }

  /**
   * @override
   * @param {string} key
   */
  end(key) {
    this.#find(key)?.decoding.end();
  }

  /** @override */
  stop() {
    const heard = this.#heardFrame();
    this.#post({ type: "stop" });
    for (const one of this.#live.values()) {
      one.decoding.close();
      this.remember(one.key, this.#heardMs(one, heard));
    }
    this.#live.clear();
  }

  /** @override */
  pause() {
    this.#post({ type: "pause" });
  }

  /** @override */
  resume() {
    this.#post({ type: "resume" });
  }

  /**
   * @override
   * @param {string} key
   * @returns {number}
   */
  playedMs(key) {
    const one = this.#find(key);
    return one ? this.#heardMs(one, this.#heardFrame()) : super.playedMs(key);
  }

  /**
   * @override
   * @returns {string | null}
   */
  current() {
    const heard = this.#heardFrame();
    for (const one of this.#live.values()) {
      if (one.runs.some((run) => run.frame <= heard)) return one.key;
    }
    return null;
  }

  /**
   * @override
   * @returns {number}
   */
  heldMs() {
    const frame = Math.round(this.context.currentTime * RATE);
    let samples = 0;
    for (const one of this.#live.values()) samples += one.decoding.pushed - one.positionAt(frame);
    return (samples * 1000) / RATE;
  }

  /** @override */
  async close() {
    if (this.#closed) return;
    await super.close();
    this.#spare?.close();
    this.#node.port.onmessage = null;
    this.#post({ type: "close" });
    this.#closed = true;
    this.#node.disconnect();
  }

  /**
   * The newest that is under this key, if it can still be heard.
   * @param {string} key
   */
  #find(key) {
    return [...this.#live.values()].findLast((one) => one.key === key);
  }

  /**
   * @param {string} key
   * @param {number} preSkip
   */
  #begin(key, preSkip) {
    const decoding = this.#spare ?? new Decoding();
    const one = new Utterance(key, this.#ids++, decoding);
    decoding.begin(preSkip);
    decoding.onsamples = (samples) => this.#post({ type: "samples", id: one.id, samples }, [samples.buffer]);
    decoding.onend = () => this.#post({ type: "end", id: one.id });
    decoding.onerror = (error) =>
      this.emit("error", { utterance: key, message: `The sound cannot be decoded: ${error.message}` });
    this.forget(key);
    this.#live.set(one.id, one);
    this.#spare = null;
    // Not before the first packet is on its way.
    queueMicrotask(() => {
      if (!this.#closed) this.#spare ??= new Decoding();
    });
    return one;
  }

  /**
   * The first packet after an underrun is there. At the start of a segment it was the text that came late, and
   * more sound in hand would only have been more waiting.
   * @param {{segmentStart: boolean | null}} dry
   * @param {boolean} segmentStart
   */
  #cameLate(dry, segmentStart) {
    if (dry.segmentStart !== null) return;
    dry.segmentStart = segmentStart;
    if (segmentStart) return;
    this.#threshold.grow();
    this.#post({ type: "threshold", samples: this.#thresholdSamples() });
  }

  #thresholdSamples() {
    return (this.#threshold.ms * RATE) / 1000;
  }

  /** @param {{type: string, id: number, frame: number, position: number}} message from the worklet */
  #told(message) {
    const one = this.#live.get(message.id);
    if (one) {
      switch (message.type) {
        case "start":
          this.#started(one, message);
          break;
        case "dry":
          this.#halted(one, message);
          one.dry = { frame: message.frame, segmentStart: null };
          this.emit("underrun", { utterance: one.key, at: this.#renderedAt(message.frame) });
          break;
        case "halt":
          this.#halted(one, message);
          break;
        case "end":
          this.#halted(one, message);
          one.endFrame = message.frame;
          break;
      }
    }
    this.#progress();
  }

  /**
   * @param {Utterance} one
   * @param {{frame: number, position: number}} message
   */
  #started(one, { frame, position }) {
    one.runs.push({ frame, position, stop: Number.POSITIVE_INFINITY });
    if (one.runs.length > RUNS) one.runs.shift();
    const at = this.#renderedAt(frame);
    if (!one.started) {
      one.started = true;
      this.emit("playing", { utterance: one.key, at, heardAt: heardAt(this.context, frame / RATE) });
    } else if (one.dry) {
      this.#cameLate(one.dry, false);
      const { segmentStart } = one.dry;
      const gapMs = ((frame - one.dry.frame) * 1000) / RATE;
      one.dry = null;
      this.emit("continued", { utterance: one.key, at, gapMs, segmentStart });
    }
  }

  /**
   * @param {Utterance} one
   * @param {{frame: number}} message
   */
  #halted(one, { frame }) {
    const run = one.runs.at(-1);
    if (!run || run.stop <= frame) return;
    run.stop = frame;
    const before = this.#threshold.ms;
    this.#threshold.sounded(((frame - run.frame) * 1000) / RATE);
    if (this.#threshold.ms !== before) this.#post({ type: "threshold", samples: this.#thresholdSamples() });
  }

  /** Says how far the listener is; called by what the audio thread says, and so in the background as well. */
  #progress() {
    const heard = this.#heardFrame();
    for (const one of [...this.#live.values()]) {
      const over = one.endFrame !== null && heard >= one.endFrame;
      const playedMs = this.#heardMs(one, heard);
      const at = performance.now();
      if (
        one.runs.some((run) => run.frame <= heard) &&
        (over || at - this.#progressAt >= LEAST_PROGRESS_MS)
      ) {
        this.#progressAt = at;
        this.emit("progress", { utterance: one.key, playedMs, at });
      }
      if (!over) break;
      // A listener of the event may have stopped everything.
      if (!this.#live.delete(one.id)) return;
      this.remember(one.key, playedMs);
      this.emit("played", { utterance: one.key, at: heardAt(this.context, (one.endFrame ?? heard) / RATE) });
    }
  }

  #heardFrame() {
    return Math.round(heardTime(this.context) * RATE);
  }

  /**
   * @param {Utterance} one
   * @param {number} heardFrame
   */
  #heardMs(one, heardFrame) {
    one.heard = Math.max(one.heard, one.positionAt(heardFrame));
    return (one.heard * 1000) / RATE;
  }

  /** @param {number} frame */
  #renderedAt(frame) {
    return renderedAt(this.context, frame / RATE);
  }

  /**
   * @param {object} message
   * @param {Transferable[]} transfer
   */
  #post(message, transfer = []) {
    if (!this.#closed) this.#node.port.postMessage(message, transfer);
  }
}
