/** A clock that the audio drives: it goes on in a background tab, where timers sleep, and where there is no worklet. */

const EVERY_S = 0.02;

/** Calls back about every 20 ms of the audio clock, while it is on and the context runs. */
export class Ticker {
  #context;
  #to;
  #ontick;
  /** @type {ConstantSourceNode | null} */
  #node = null;

  /**
   * @param {AudioContext} context
   * @param {AudioNode} to is given silence: only what leads to the loudspeaker runs
   * @param {() => void} ontick
   */
  constructor(context, to, ontick) {
    this.#context = context;
    this.#to = to;
    this.#ontick = ontick;
  }

  start() {
    if (!this.#node) this.#next();
  }

  stop() {
    if (!this.#node) return;
    this.#node.onended = null;
    this.#node.disconnect();
    this.#node = null;
  }

  #next() {
    const node = new ConstantSourceNode(this.#context, { offset: 0 });
    node.connect(this.#to);
    node.onended = () => {
      node.disconnect();
      this.#next();
      this.#ontick();
    };
    node.start();
    node.stop(this.#context.currentTime + EVERY_S);
    this.#node = node;
  }
}
