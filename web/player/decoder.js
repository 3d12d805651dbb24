/**
 * A worker between the page and the audio thread: a page that is busy for a moment does not make sound late
 * that has come already.
 *
 * The first message is {page, playout}, the ports to both. From the page then: {type: "begin", id, preSkip}
 * · {type: "frame", id, frame} · {type: "end", id} · {type: "stop"} (all ids so far). To the page: {type:
 * "ready"} or {type: "failed", message}, once; {type: "error", id, message}. To the audio thread what
 * worklet.js says.
 */

import { Decoding, tryDecoder } from "./decoding.js";

/**
 * @typedef {{id: number, preSkip: number, frames: import("./decoding.js").Frame[], complete: boolean}}
 * Waiting
 */

/**
 * Utterances that are not decoded yet: one after another, so that their samples come in the order of
 * playing.
 */
class Queue {
  #page;
  #playout;
  /** @type {Waiting[]} */
  #waiting = [];
  /** @type {{id: number, decoding: Decoding} | null} */
  #first = null;
  /** Made ahead, for that takes a while. @type {Decoding | null} */
  #spare = null;

  /**
   * @param {MessagePort} page
   * @param {MessagePort} playout
   */
  constructor(page, playout) {
    this.#page = page;
    this.#playout = playout;
  }

  prepare() {
    this.#spare ??= new Decoding();
  }

  /** @param {any} message from the page */
  take(message) {
    const { type, id } = message;
    const waiting = this.#waiting.find((one) => one.id === id);
    const decoding = this.#first?.id === id ? this.#first?.decoding : null;
    switch (type) {
      case "begin":
        this.#waiting.push({ id, preSkip: message.preSkip, frames: [], complete: false });
        this.#next();
        break;
      case "frame":
        decoding?.decode(message.frame);
        waiting?.frames.push(message.frame);
        // The first packet goes before the preparing of the next utterance.
        this.prepare();
        break;
      case "end":
        decoding?.end();
        if (waiting) waiting.complete = true;
        break;
      case "stop":
        this.#first?.decoding.close();
        this.#first = null;
        this.#waiting = [];
        break;
    }
  }

  #next() {
    const one = this.#first ? null : this.#waiting.shift();
    if (!one) return;
    const { id } = one;
    const decoding = this.#spare ?? new Decoding();
    this.#spare = null;
    this.#first = { id, decoding };
    decoding.begin(one.preSkip);
    decoding.onsamples = (samples) =>
      this.#playout.postMessage({ type: "samples", id, samples }, [samples.buffer]);
    decoding.onerror = ({ message }) => this.#page.postMessage({ type: "error", id, message });
    decoding.onend = () => {
      this.#playout.postMessage({ type: "end", id });
      this.#first = null;
      this.#next();
    };
    for (const frame of one.frames) decoding.decode(frame);
    if (one.complete) decoding.end();
  }
}

globalThis.addEventListener("message", ({ data: { page, playout } }) => {
  const queue = new Queue(page, playout);
  page.onmessage = (/** @type {MessageEvent} */ { data }) => queue.take(data);
  tryDecoder().then(
    () => {
      queue.prepare();
      page.postMessage({ type: "ready" });
    },
    ({ message }) => page.postMessage({ type: "failed", message }),
  );
});
