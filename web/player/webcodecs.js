/** The player with the shortest way: WebCodecs decodes in a worker, an AudioWorklet plays. */

import { RATE } from "./opus.js";
import { heardAt, heardTime, Player, renderedAt } from "./player.js";
import { StartThreshold } from "./threshold.js";

/** @typedef {import("./player.js").Frame} Frame */

/** Stretches of sound to remember: the loudspeaker is late by fewer. */
const RUNS = 4;

/**
 * @param {AudioContext} context at 48 kHz, may be suspended
 * @returns {Promise<Player>} rejects with an Error when this browser cannot decode Opus
 */
export async function createWebCodecsPlayer(context) {
  const module = context.audioWorklet.addModule(new URL("./worklet.js", import.meta.url).href);
  const worker = startWorker(new URL("./decoder.js", import.meta.url));
  const [toDecoder, toPlayout] = [new MessageChannel(), new MessageChannel()];
  const ready = new Promise((resolve, reject) => {
    toDecoder.port1.onmessage = ({ data }) =>
      data.type === "ready" ? resolve(null) : reject(new Error(data.message));
    worker.onerror = ({ message }) => reject(new Error(`The decoder does not run: ${message}`));
  });
  const ports = [toDecoder.port2, toPlayout.port1];
  worker.postMessage({ page: toDecoder.port2, playout: toPlayout.port1 }, ports);
  try {
    await Promise.all([ready, module]);
  } catch (error) {
    worker.terminate();
    throw error;
  }
  return new WebCodecsPlayer(context, worker, toDecoder.port1, toPlayout.port2);
}

/** One utterance and when which of its samples sounded. Frames are those of the audio graph. */
class Utterance {
  /** Where the frames end that came, on its timeline. */
  pushed = 0;
  /** No frame comes any more. */
  complete = false;
  /** @type {Array<{frame: number, position: number, stop: number}>} the last stretches without a break */
  runs = [];
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
   */
  constructor(key, id) {
    this.key = key;
    this.id = id;
  }

  /**
   * The position of the sample that is next at a frame.
   * @param {number} frame
   */
  positionAt(frame) {
    const run = this.runs.findLast((one) => one.frame <= frame);
    if (!run) return 0;
    // Beyond what has come there is nothing to play, whatever the clock says.
    return Math.min(this.pushed, run.position + Math.min(frame, run.stop) - run.frame);
  }
}

class WebCodecsPlayer extends Player {
  /** Those that were not heard to their end, in the order of playing. @type {Map<number, Utterance>} */
  #live = new Map();
  #ids = 0;
  #threshold = new StartThreshold();
  #node;
  #worker;
  #decoder;
  #closed = false;

  /**
   * @param {AudioContext} context that has the worklet's module
   * @param {Worker} worker
   * @param {MessagePort} decoder the worker's
   * @param {MessagePort} decoded where its sound arrives
   */
  constructor(context, worker, decoder, decoded) {
    super("webcodecs", "WebCodecs", context);
    this.#worker = worker;
    this.#decoder = decoder;
    this.#node = new AudioWorkletNode(context, "playout", {
      numberOfInputs: 0,
      outputChannelCount: [1],
      processorOptions: { threshold: this.#thresholdSamples() },
    });
    this.#node.connect(this.output);
    this.#node.port.onmessage = ({ data }) => this.#told(data);
    this.#node.port.postMessage({ type: "decoder", port: decoded }, [decoded]);
    decoder.onmessage = ({ data }) => this.#undecoded(data);
    const broken = () => this.emit("error", { utterance: null, message: "The player has failed." });
    worker.onerror = broken;
    this.#node.onprocessorerror = broken;
  }

  /**
   * @override
   * @param {string} key
   * @param {Frame} frame
   * @param {number} preSkip
   */
  push(key, frame, preSkip) {
    if (this.#closed || !this.playable(key, frame)) return;
    let one = this.#find(key);
    if (!one || one.complete) {
      if (frame.position > 0) return;
      one = this.#begin(key, preSkip);
    }
    if (!this.hasRoom(key)) return;
    if (one.dry) this.#cameLate(one.dry, frame.segmentStart);
    one.pushed += frame.duration;
    one.complete = frame.last;
    const { position, duration, last, payload } = frame;
    this.#decoder.postMessage({ type: "frame", id: one.id, frame: { position, duration, last, payload } });
  }

  /**
   * @override
   * @param {string} key
   */
  end(key) {
    const one = this.#find(key);
    if (!one || one.complete) return;
    one.complete = true;
    this.#decoder.postMessage({ type: "end", id: one.id });
  }

  /** @override */
  stop() {
    const heard = this.#heardFrame();
    this.#post({ type: "stop", id: this.#ids - 1 });
    this.#decoder.postMessage({ type: "stop" });
    for (const one of this.#live.values()) this.remember(one.key, this.#heardMs(one, heard));
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
    for (const one of this.#live.values()) samples += one.pushed - one.positionAt(frame);
    return (samples * 1000) / RATE;
  }

  /** @override */
  async close() {
    if (this.#closed) return;
    await super.close();
    this.#worker.terminate();
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
    const one = new Utterance(key, this.#ids++);
    this.#decoder.postMessage({ type: "begin", id: one.id, preSkip });
    this.forget(key);
    this.#live.set(one.id, one);
    return one;
  }

  /**
   * The first packet after an underrun is there. At the start of a segment it was the text that came late,
   * and more sound in hand would only have been more waiting.
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

  /** @param {{id: number, message: string}} message from the decoder: it has ended what it cannot decode */
  #undecoded({ id, message }) {
    const one = this.#live.get(id);
    if (!one) return;
    one.complete = true;
    this.emit("error", { utterance: one.key, message: `The sound cannot be decoded: ${message}` });
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
    const first = one.runs.length === 0;
    one.runs.push({ frame, position, stop: Number.POSITIVE_INFINITY });
    if (one.runs.length > RUNS) one.runs.shift();
    const at = this.#renderedAt(frame);
    if (first) {
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
      if (one.runs.some((run) => run.frame <= heard)) this.heardUpTo(one.key, playedMs, over);
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

  /** @param {object} message */
  #post(message) {
    if (!this.#closed) this.#node.port.postMessage(message);
  }
}

/**
 * A page may start only files of its own address as workers. On another one it starts a line of its own,
 * which imports the file.
 * @param {URL} module
 */
function startWorker(module) {
  if (module.origin === location.origin) return new Worker(module, { type: "module" });
  const line = new Blob([`import ${JSON.stringify(module.href)};`], { type: "text/javascript" });
  return new Worker(URL.createObjectURL(line), { type: "module" });
}
