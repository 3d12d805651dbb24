/** Opus packets become the bytes of a file that plays while it is written, by mediabunny. */

import { CONFIG, opusHead, RATE } from "./opus.js";

/** @typedef {typeof import("../vendor/mediabunny.js")} Mediabunny */
/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

/**
 * @typedef {object} Container
 * @property {string} type the MIME type with the codec
 * @property {(bunny: Mediabunny) => import("mediabunny").OutputFormat} format
 * @property {(last: Bytes) => Bytes} withoutIndex what of the last bytes is sound: an index is of no use to
 * who plays
 */

/** The header says nothing of a pre-skip: only what a player cuts itself is the same in all browsers. */
const META = { decoderConfig: { ...CONFIG, description: opusHead(0) } };

/** One file. Its header comes out with the first packet. */
export class Mux {
  #bunny;
  #container;
  #output;
  #source;
  #onbytes;
  #onerror;
  /** @type {Promise<void>} */
  #written;
  /** Where the next packet begins, in samples at 48 kHz. */
  #next = 0;
  #finishing = false;

  /**
   * @param {Mediabunny} bunny
   * @param {Container} container
   * @param {(bytes: Bytes) => void} onbytes is given all bytes, in order
   * @param {(error: Error) => void} onerror
   */
  constructor(bunny, container, onbytes, onerror) {
    this.#bunny = bunny;
    this.#container = container;
    this.#onbytes = onbytes;
    this.#onerror = onerror;
    const writable = new WritableStream({ write: (bytes) => this.#write(bytes) });
    const target = new bunny.AppendOnlyStreamTarget(writable);
    this.#output = new bunny.Output({ format: container.format(bunny), target });
    this.#source = new bunny.EncodedAudioPacketSource("opus");
    this.#output.addAudioTrack(this.#source);
    this.#written = this.#output.start();
  }

  /**
   * @param {Uint8Array} packet
   * @param {number} samples how long it sounds, at 48 kHz
   */
  add(packet, samples) {
    const packed = new this.#bunny.EncodedPacket(packet, "key", this.#next / RATE, samples / RATE);
    this.#next += samples;
    this.#then(() => this.#source.add(packed, META));
  }

  /** @param {() => void} onend all bytes were given */
  finish(onend) {
    this.#then(async () => {
      this.#finishing = true;
      await this.#output.finalize();
      onend();
    });
  }

  /** @param {() => Promise<void>} step after all before it */
  #then(step) {
    this.#written = this.#written.then(step);
    this.#written.catch(this.#onerror);
  }

  /** @param {Bytes} bytes */
  #write(bytes) {
    const sound = this.#finishing ? this.#container.withoutIndex(bytes) : bytes;
    if (sound.length > 0) this.#onbytes(sound);
  }
}
