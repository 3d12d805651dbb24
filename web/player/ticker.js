/**
 * A clock that the audio drives, so that it goes on in a background tab, where timers sleep. On addresses
 * that are not secure there is no AudioWorklet; then it is a timer all the same, which browsers let run in a
 * tab that sounds.
 */

const EVERY_MS = 20;

/**
 * @param {AudioContext} context
 * @param {AudioNode} output is given silence: only what leads to the loudspeaker runs
 */
export async function createTicker(context, output) {
  if (!context.audioWorklet) return new TimerTicker();
  await context.audioWorklet.addModule(new URL("./ticking.js", import.meta.url).href);
  return new AudioTicker(context, output);
}

/** Calls `ontick` about every 20 ms, while it is on and, where it can tell, while the context runs. */
export class Ticker {
  ontick = () => {};
  start() {}
  stop() {}
  close() {}
}

class AudioTicker extends Ticker {
  #node;

  /**
   * @param {AudioContext} context
   * @param {AudioNode} output
   */
  constructor(context, output) {
    super();
    this.#node = new AudioWorkletNode(context, "ticking", { numberOfInputs: 0, outputChannelCount: [1] });
    this.#node.port.onmessage = () => this.ontick();
    this.#node.connect(output);
  }

  /** @override */
  start() {
    this.#node.port.postMessage("start");
  }

  /** @override */
  stop() {
    this.#node.port.postMessage("stop");
  }

  /** @override */
  close() {
    this.#node.port.onmessage = null;
    this.#node.port.postMessage("close");
    this.#node.disconnect();
  }
}

class TimerTicker extends Ticker {
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** @override */
  start() {
    this.stop();
    this.#timer = setInterval(() => this.ontick(), EVERY_MS);
  }

  /** @override */
  stop() {
    clearInterval(this.#timer);
  }

  /** @override */
  close() {
    this.stop();
  }
}
