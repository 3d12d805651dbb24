/** The packets of one utterance become samples, from its first to its last and not one more. */

import { CONFIG, RATE, SILENCE, SILENCE_SAMPLES } from "./opus.js";

/** @typedef {Pick<import("./player.js").Frame, "position" | "duration" | "last" | "payload">} Frame */

/**
 * Decodes a packet of silence, so that all that the browser loads for the first time is there for the first
 * word; rejects when it cannot.
 */
export async function tryDecoder() {
  let samples = 0;
  /** @type {Error | null} */
  let failed = null;
  const decoder = new AudioDecoder({
    output: (data) => {
      samples += data.numberOfFrames;
      data.close();
    },
    error: (error) => {
      failed = error;
    },
  });
  try {
    decoder.configure(CONFIG);
    decoder.decode(new EncodedAudioChunk({ type: "key", timestamp: 0, data: SILENCE }));
    await decoder.flush();
  } catch (error) {
    throw new Error("WebCodecs of this browser cannot decode Opus.", { cause: failed ?? error });
  } finally {
    if (decoder.state !== "closed") decoder.close();
  }
  if (samples !== SILENCE_SAMPLES)
    throw new Error(`WebCodecs makes ${samples} samples of ${SILENCE_SAMPLES}.`);
}

/**
 * One decoder, for one utterance: Opus goes on from packet to packet, and begins anew with each utterance.
 * May be made ahead of it. All positions are in samples of the utterance's timeline.
 */
export class Decoding {
  /** Where the frames end that came; the sound is cut there. */
  #pushed = 0;
  /** Where the samples end that were given to `onsamples`. */
  #decoded = 0;
  /** No frame comes any more. */
  #complete = false;
  /** @type {(samples: Float32Array<ArrayBuffer>) => void} */
  onsamples = () => {};
  /** All samples were given. */
  onend = () => {};
  /** @type {(error: Error) => void} what came before it was given; nothing comes after it */
  onerror = () => {};
  /** Samples still to be dropped from the beginning. */
  #skip = 0;
  #over = false;
  #decoder;

  constructor() {
    this.#decoder = new AudioDecoder({
      output: (data) => this.#output(data),
      error: (error) => this.#failed(error),
    });
    this.#decoder.configure(CONFIG);
  }

  /** @param {number} preSkip samples to drop from the beginning of what the decoder gives */
  begin(preSkip) {
    this.#skip = preSkip;
  }

  /** @param {Frame} frame the next one */
  decode(frame) {
    if (this.#complete || this.#over) return;
    this.#pushed += frame.duration;
    if (frame.payload.length > 0) {
      const timestamp = Math.round((frame.position / RATE) * 1e6);
      this.#decoder.decode(new EncodedAudioChunk({ type: "key", timestamp, data: frame.payload }));
    }
    if (frame.last) this.end();
  }

  /** Nothing more comes. */
  end() {
    if (this.#complete || this.#over) return;
    this.#complete = true;
    if (this.#decoded >= this.#pushed) {
      this.#ended();
    } else {
      // A decoder may keep the last packets until it is told that they are.
      this.#decoder.flush().then(
        () => this.#ended(),
        () => {},
      );
    }
  }

  /** Drops everything that is under way. */
  close() {
    this.#over = true;
    if (this.#decoder.state !== "closed") this.#decoder.close();
  }

  /** @param {AudioData} data */
  #output(data) {
    const from = Math.min(this.#skip, data.numberOfFrames);
    const count = Math.min(data.numberOfFrames - from, this.#pushed - this.#decoded);
    this.#skip -= from;
    if (this.#over || count <= 0) {
      data.close();
      return;
    }
    if (data.sampleRate !== RATE) {
      data.close();
      this.#failed(new Error(`The browser decodes Opus at ${data.sampleRate} Hz.`));
      return;
    }
    const samples = new Float32Array(count);
    data.copyTo(samples, { planeIndex: 0, frameOffset: from, frameCount: count, format: "f32-planar" });
    data.close();
    this.#decoded += count;
    this.onsamples(samples);
    if (this.#complete && this.#decoded >= this.#pushed) this.#ended();
  }

  #ended() {
    if (this.#over) return;
    this.close();
    this.onend();
  }

  /** @param {Error} error */
  #failed(error) {
    if (this.#over) return;
    this.#complete = true;
    this.close();
    this.onerror(error);
    this.onend();
  }
}
