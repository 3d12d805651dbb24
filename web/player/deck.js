/** One media element. It plays one utterance at a time, out of a MediaSource that is made ahead for each. */

import { Mux } from "./mux.js";
import { RATE, SILENCE, SILENCE_SAMPLES, USUAL_PRE_SKIP } from "./opus.js";
import { Timeline } from "./timeline.js";

/** A fade, in seconds: too short to be heard as such, and long enough not to click. */
const FADE_S = 0.003;
/** So long until what was silenced has left the graph. */
const SILENT_AFTER_MS = 20;
/** When more was played than the first it is dropped up to the second, in seconds. */
const MOST_PLAYED_S = 20;
const KEPT_PLAYED_S = 5;
/**
 * Chromium begins with more than 200 ms, and wants twice as much after each time that it ran dry; in
 * samples.
 */
const FIRST_THRESHOLD = 220 * 48;

/**
 * @typedef {object} Medium
 * @property {typeof MediaSource} Source
 * @property {import("./mux.js").Container} container
 * @property {boolean} trims whether the append window cuts a packet in two, and not only between packets
 */

export class Deck {
  element = new Audio();
  /** Of the utterance that it has; null when it is free. @type {Timeline | null} */
  timeline = null;
  /** Sound that must lie ahead before it plays, in samples. */
  threshold = FIRST_THRESHOLD;
  #context;
  #bunny;
  #medium;
  #onerror;
  #gain;
  #level = 1;
  #preSkip = USUAL_PRE_SKIP;
  /** @type {MediaSource | null} */
  #source = null;
  /** @type {SourceBuffer | null} */
  #buffer = null;
  /** @type {Mux | null} */
  #mux = null;
  /** @type {import("./mux.js").Bytes[]} for the buffer */
  #bytes = [];
  /** Where the sound is cut, in seconds of the medium. @type {number | null} */
  #cut = null;
  /** All bytes have come. */
  #whole = false;
  /** The browser wants no more for now. */
  #enough = false;
  #used = false;
  #cleaning = 0;

  /**
   * @param {AudioContext} context
   * @param {AudioNode} output
   * @param {import("./mux.js").Mediabunny} bunny
   * @param {Medium} medium
   * @param {(message: string, fatal: boolean) => void} onerror `fatal`: the utterance that it has is lost
   */
  constructor(context, output, bunny, medium, onerror) {
    this.#context = context;
    this.#bunny = bunny;
    this.#medium = medium;
    this.#onerror = onerror;
    this.#gain = new GainNode(context);
    // Elsewhere it could only play what it has as a whole.
    this.element.disableRemotePlayback = true;
    this.element.preload = "auto";
    this.element.onerror = () => this.#failed(this.element.error?.message);
    context.createMediaElementSource(this.element).connect(this.#gain).connect(output);
    this.#prepare();
  }

  /** Nothing is left of an utterance before. */
  get clean() {
    return !this.#used;
  }

  /** Where it is in its medium, in samples. */
  get media() {
    return this.element.currentTime * RATE;
  }

  /**
   * Takes an utterance.
   * @param {number} preSkip
   */
  begin(preSkip) {
    if (this.#used || preSkip !== this.#preSkip) {
      this.#preSkip = preSkip;
      this.#prepare();
    }
    this.#used = true;
    this.timeline = new Timeline(-preSkip, this.#medium.trims ? -preSkip : 0);
    this.#ramp(1, 0);
  }

  /**
   * @param {Uint8Array} packet
   * @param {number} samples how long it sounds
   */
  add(packet, samples) {
    this.#mux?.add(packet, samples);
    this.timeline?.add(samples);
  }

  /**
   * Puts silence behind what is there.
   * @param {number} samples at least
   */
  fill(samples) {
    for (let filled = 0; filled < samples; filled += SILENCE_SAMPLES) {
      this.#mux?.add(SILENCE, SILENCE_SAMPLES);
      this.timeline?.fill(SILENCE_SAMPLES);
    }
  }

  /**
   * Nothing more comes.
   * @param {number} position where the sound ends, in samples of the utterance
   */
  finish(position) {
    const source = this.#source;
    if (this.#medium.trims && this.timeline) this.#cut = this.timeline.mediaAt(position) / RATE;
    this.#mux?.finish(() => {
      if (source !== this.#source) return;
      this.#whole = true;
      this.#pump();
    });
  }

  play() {
    this.element.play().catch((error) => {
      // Whoever pauses it before it has begun knows.
      if (error.name !== "AbortError")
        this.#onerror(`The browser does not let it play: ${error.message}`, false);
    });
  }

  /** @param {boolean} hold whether it is to go on from there */
  silence(hold = false) {
    this.#ramp(0);
    if (hold) {
      this.element.pause();
      return;
    }
    this.timeline = null;
    // At once it would click.
    this.#cleaning = setTimeout(() => this.#prepare(), SILENT_AFTER_MS);
  }

  /** Plays on after `silence(true)`. */
  goOn() {
    this.#ramp(1);
    this.play();
  }

  /** Is free again, for another utterance. */
  release() {
    this.#prepare();
  }

  close() {
    clearTimeout(this.#cleaning);
    this.#source = this.#buffer = this.#mux = null;
    this.element.onerror = null;
    this.element.removeAttribute("src");
    this.element.load();
    this.#gain.disconnect();
  }

  /** All that can be done before the first packet is there. */
  #prepare() {
    clearTimeout(this.#cleaning);
    this.timeline = this.#cut = this.#buffer = null;
    this.#bytes = [];
    this.#whole = this.#enough = this.#used = false;
    this.threshold = FIRST_THRESHOLD;
    const source = new this.#medium.Source();
    this.#source = source;
    const url = URL.createObjectURL(source);
    source.addEventListener("sourceopen", () => this.#opened(source, url), { once: true });
    source.addEventListener("endstreaming", () => this.#streaming(source, false));
    source.addEventListener("startstreaming", () => this.#streaming(source, true));
    this.element.src = url;
    this.#mux = new Mux(
      this.#bunny,
      this.#medium.container,
      (bytes) => {
        if (source !== this.#source) return;
        this.#bytes.push(bytes);
        this.#pump();
      },
      (error) => source === this.#source && this.#failed(error.message),
    );
  }

  /**
   * @param {MediaSource} source
   * @param {string} url
   */
  #opened(source, url) {
    URL.revokeObjectURL(url);
    if (source !== this.#source) return;
    const buffer = source.addSourceBuffer(this.#medium.container.type);
    // What lies before 0 is cut.
    if (this.#medium.trims) buffer.timestampOffset = -this.#preSkip / RATE;
    buffer.addEventListener("updateend", () => this.#pump());
    this.#buffer = buffer;
    this.#pump();
  }

  /**
   * @param {MediaSource} source
   * @param {boolean} wanted
   */
  #streaming(source, wanted) {
    if (source !== this.#source) return;
    this.#enough = !wanted;
    this.#pump();
  }

  /** Does the next thing that is to be done with the buffer. */
  #pump() {
    const buffer = this.#buffer;
    if (!buffer || buffer.updating || this.#enough || this.#source?.readyState !== "open") return;
    try {
      const { buffered } = buffer;
      const played = this.element.currentTime;
      if (buffered.length > 0 && played - buffered.start(0) > MOST_PLAYED_S) {
        buffer.remove(0, played - KEPT_PLAYED_S);
      } else if (this.#bytes.length > 0) {
        if (this.#cut !== null) buffer.appendWindowEnd = this.#cut;
        buffer.appendBuffer(joined(this.#bytes));
        this.#bytes = [];
      } else if (this.#whole) {
        this.#source.endOfStream();
      }
    } catch (error) {
      this.#failed(`${error}`);
    }
  }

  /**
   * @param {0 | 1} level
   * @param {number} seconds
   */
  #ramp(level, seconds = FADE_S) {
    const { gain } = this.#gain;
    const now = this.#context.currentTime;
    gain.cancelScheduledValues(0);
    gain.setValueAtTime(seconds > 0 ? this.#level : level, now);
    gain.linearRampToValueAtTime(level, now + seconds);
    this.#level = level;
  }

  /** @param {string | undefined} why */
  #failed(why) {
    this.#onerror(`The browser cannot play this sound: ${why || "it does not say why"}`, true);
  }
}

/** @param {import("./mux.js").Bytes[]} parts */
function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
