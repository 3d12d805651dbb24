import { createPlayer, supported } from "../player/choose.js";

/** @typedef {import("../player/player.js").Player} Player */
/** @typedef {import("../player/player.js").Kind} Kind */

const RATE = 48_000;
/** Below this an output is silent. */
const SILENT = 1e-4;
/** Quanta of the audio graph are 128 samples. */
const QUANTUM = 128;
/** Longer than this nobody waits for silence, in ms. */
const PATIENCE_MS = 500;
/** A context that was just told to run needs this long, in ms; after that it was not let. */
const START_MS = 400;

/**
 * The loudspeaker: the audio graph behind a player.
 *
 * Event `audible` (CustomEvent, `detail` is a boolean): whether what is played can be heard; browsers let no page
 * sound that nobody has touched.
 */
export class Sound extends EventTarget {
  context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
  /** What is played, to be drawn. */
  analyser = new AnalyserNode(this.context, { fftSize: 2048 });
  /** What is played now, to know when it is silent. */
  #witness = new AnalyserNode(this.context, { fftSize: QUANTUM });

  constructor() {
    super();
    this.analyser.connect(this.context.destination);
    this.context.addEventListener("statechange", () => {
      if (this.isAudible) this.#tell(true);
    });
  }

  get isAudible() {
    return this.context.state === "running";
  }

  /**
   * Makes a player, whose sound comes here. Others go on until they are closed.
   * @param {Kind | ""} kind which one; "": the best that can be had
   * @returns {Promise<Player>}
   * @throws {Error} when this browser has none
   */
  async make(kind) {
    const kinds = supported().filter(({ missing }) => missing.length === 0);
    const wanted = kinds.find((one) => one.kind === kind);
    let failure = new Error("This browser has no way to play Opus while it comes.");
    for (const { kind: each } of wanted ? [wanted] : kinds) {
      try {
        const player = await createPlayer(each, this.context);
        player.output.connect(this.analyser);
        player.output.connect(this.#witness);
        return player;
      } catch (error) {
        failure = error instanceof Error ? error : new Error(String(error));
      }
    }
    throw failure;
  }

  /** Has it sound, if the browser lets it; to be called when a person has done something. */
  unlock() {
    if (this.isAudible) return;
    // Refused it is when nobody has touched the page: that is told by `expect`.
    this.context.resume().catch(() => {});
  }

  /** Something is to be heard now: tells when it cannot. */
  expect() {
    this.unlock();
    setTimeout(() => {
      if (!this.isAudible) this.#tell(false);
    }, START_MS);
  }

  /**
   * Waits until nothing sounds any more.
   * @returns {Promise<number>} when that was, in ms of performance.now(); NaN when it cannot be told
   */
  async silence() {
    const samples = new Float32Array(QUANTUM);
    const begin = performance.now();
    // A page that is not seen has slow timers, which would be measured in the place of the sound.
    while (this.isAudible && !document.hidden && performance.now() < begin + PATIENCE_MS) {
      this.#witness.getFloatTimeDomainData(samples);
      const now = performance.now();
      if (samples.every((sample) => Math.abs(sample) < SILENT)) return now;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return Number.NaN;
  }

  /** @param {boolean} audible */
  #tell(audible) {
    this.dispatchEvent(new CustomEvent("audible", { detail: audible }));
  }
}
