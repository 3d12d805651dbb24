/** In the audio thread: says every 20 ms of the audio clock that it runs, while anybody wants to know. */

const EVERY = 960;

class Ticking extends AudioWorkletProcessor {
  #on = false;
  #closed = false;
  #since = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      this.#on = data === "start";
      this.#closed = data === "close";
    };
  }

  /**
   * @param {Float32Array[][]} _inputs
   * @param {Float32Array[][]} outputs
   */
  process(_inputs, outputs) {
    this.#since += outputs[0]?.[0]?.length ?? 0;
    if (this.#on && this.#since >= EVERY) {
      this.#since = 0;
      this.port.postMessage(null);
    }
    return !this.#closed;
  }
}

registerProcessor("ticking", Ticking);
