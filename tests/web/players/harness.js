// In a page of the server: one player, its audio context, and all that it says, for a test to drive.
// @ts-check

/** @typedef {import("../../../web/player/player.js").Player} Player */
/** @typedef {import("../../../web/player/player.js").Frame} Frame */

/** How often it is looked whether the page stands still, in milliseconds. */
const LOOK_MS = 10;
const EVENTS = ["playing", "underrun", "continued", "played", "progress", "error"];

class Harness {
  /** @type {AudioContext | null} */
  context = null;
  /** @type {Player | null} */
  player = null;
  /** The longest that nothing of the page could run, in milliseconds; since a test set it to 0. */
  stoodStillMs = 0;
  /** Frames of the utterance that was pushed last. */
  #pushed = 0;
  /** @type {Array<Record<string, any>>} what the player said, each with `type`, the time and how much was pushed */
  events = [];
  /** @type {Array<{type: string, check: (event: Record<string, any>) => boolean, resolve: (event: any) => void}>} */
  #waiting = [];

  constructor() {
    let looked = performance.now();
    setInterval(() => {
      const now = performance.now();
      this.stoodStillMs = Math.max(this.stoodStillMs, now - looked - LOOK_MS);
      looked = now;
    }, LOOK_MS);
  }

  /**
   * @param {import("../../../web/player/player.js").Kind} kind
   * @param {boolean} suspended
   * @param {boolean} insecure without what there is on secure addresses only
   */
  async make(kind, suspended, insecure) {
    const { createPlayer } = await import(`${location.origin}/player/choose.js`);
    this.context = new AudioContext({ sampleRate: 48000, latencyHint: "interactive" });
    if (suspended) await this.context.suspend();
    else await this.context.resume();
    if (insecure) Object.defineProperty(this.context, "audioWorklet", { configurable: true });
    const player = /** @type {Player} */ (await createPlayer(kind, this.context));
    // The recorder needs it.
    if (insecure) Reflect.deleteProperty(this.context, "audioWorklet");
    this.player = player;
    player.output.connect(this.context.destination);
    for (const type of EVENTS) {
      player.addEventListener(type, (event) => {
        const { detail } = /** @type {CustomEvent} */ (event);
        const said = { type, now: performance.now(), wall: Date.now(), pushed: this.#pushed, ...detail };
        this.events.push(said);
        this.#waiting = this.#waiting.filter((each) => {
          const found = each.type === type && each.check(said);
          if (found) each.resolve(said);
          return !found;
        });
      });
    }
  }

  /**
   * Resolves with an event that comes from now on, or has come.
   * @param {string} type
   * @param {string | null} utterance
   */
  until(type, utterance = null) {
    const check = (/** @type {any} */ said) => utterance === null || said.utterance === utterance;
    const found = this.events.find((said) => said.type === type && check(said));
    if (found) return Promise.resolve(found);
    return new Promise((resolve) => this.#waiting.push({ type, check, resolve }));
  }

  /** @param {string} type */
  said(type) {
    return this.events.filter((event) => event.type === type);
  }

  /**
   * @param {Array<any>} frames
   * @param {number} wait until it is stopped, in milliseconds
   */
  async pushAndStop(frames, wait) {
    await this.push("stopped", frames);
    await new Promise((resolve) => setTimeout(resolve, wait));
    this.player?.stop();
  }

  /**
   * Pushes whole utterances, one after another.
   * @param {Array<[string, Array<any>]>} utterances
   */
  async pushAll(utterances) {
    for (const [key, frames] of utterances) await this.push(key, frames);
  }

  /**
   * Pushes frames, `payload` in base64, all at once or each so many milliseconds after the one before; resolves
   * with the wall clock before the first, and the sound in hand after the last.
   * @param {string} key
   * @param {Array<any>} frames
   * @param {number[]} delays
   */
  async push(key, frames, delays = []) {
    const began = Date.now();
    for (const [index, frame] of frames.entries()) {
      const delay = delays[index] ?? 0;
      if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
      const payload = Uint8Array.from(atob(frame.payload), (each) => each.charCodeAt(0));
      this.#pushed = index + 1;
      this.player?.push(key, { ...frame, payload }, 312);
    }
    return [began, this.player?.heldMs()];
  }
}

Object.assign(globalThis, { harness: new Harness() });
