// Runs in a page before its own scripts: listens to all that any AudioContext sends to its loudspeaker.
//
// Every node that is connected to a destination is connected to a recorder as well, a worklet that keeps each
// quantum (128 samples) with the time of the audio clock and the wall clock. `window.tap` has what it heard.
(() => {
  const RECORDER = `
    registerProcessor("tap", class extends AudioWorkletProcessor {
      constructor() {
        super();
        this.blocks = [];
        this.port.onmessage = () => this.send();
      }
      send() {
        this.port.postMessage({ blocks: this.blocks });
        this.blocks = [];
      }
      process(inputs) {
        const input = inputs[0];
        const sound = new Float32Array(128);
        for (const channel of input) for (let i = 0; i < 128; i += 1) sound[i] += channel[i] / input.length;
        this.blocks.push({ frame: currentFrame, at: Date.now(), sound });
        if (this.blocks.length >= 40) this.send();
        return true;
      }
    });`;
  const AUDIBLE = 10 ** (-45 / 20);
  /**
   * Blocks in order: `frame` of the audio clock, `at` in ms of the wall clock, `sound` of 128 samples.
   * @type {{ frame: number, at: number, sound: Float32Array }[]}
   */
  const blocks = [];
  /** @type {Map<BaseAudioContext, AudioNode>} */
  const contexts = new Map();
  /** @type {MessagePort[]} */
  const ports = [];

  /** @param {BaseAudioContext} context */
  const recorderOf = (context) => {
    const known = contexts.get(context);
    if (known) return known;
    const meeting = new GainNode(context, { channelCount: 1, channelCountMode: "explicit" });
    contexts.set(context, meeting);
    const url = URL.createObjectURL(new Blob([RECORDER], { type: "text/javascript" }));
    context.audioWorklet.addModule(url).then(() => {
      const recorder = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
      recorder.port.onmessage = ({ data }) => blocks.push(...data.blocks);
      ports.push(recorder.port);
      meeting.connect(recorder);
    });
    return meeting;
  };

  /** @type {(this: AudioNode, ...given: any[]) => any} */
  const connect = AudioNode.prototype.connect;
  /** @param {any[]} given */
  AudioNode.prototype.connect = function (...given) {
    if (given[0] instanceof AudioDestinationNode && this.context instanceof AudioContext) {
      connect.call(this, recorderOf(this.context));
    }
    return connect.apply(this, given);
  };

  /** @param {Float32Array} sound */
  const rms = (sound) => Math.sqrt(sound.reduce((sum, each) => sum + each * each, 0) / sound.length);
  const tap = {
    AUDIBLE,
    /** Has what was heard up to now delivered. */
    async settle() {
      for (const port of ports) port.postMessage(null);
      await new Promise((resolve) => setTimeout(resolve, 30));
    },
    clear() {
      blocks.length = 0;
    },
    rate: () => [...contexts.keys()][0]?.sampleRate ?? 48000,
    /** Samples as base64 of little-endian float32. */
    sound() {
      const all = new Float32Array(blocks.length * 128);
      for (const [index, block] of blocks.entries()) all.set(block.sound, index * 128);
      let text = "";
      const bytes = new Uint8Array(all.buffer);
      for (let i = 0; i < bytes.length; i += 32768)
        text += String.fromCharCode(...bytes.subarray(i, i + 32768));
      return btoa(text);
    },
    /**
     * Quanta that the recorder missed: 0, or it is no witness. Behind its first one there is always a gap, for the
     * graph is put together at that moment.
     */
    lost: () =>
      blocks.slice(2).filter((block, i) => block.frame !== (blocks[i + 1]?.frame ?? 0) + 128).length,
    /** Wall clock of the first (last) audible quantum since `since`; null where there is none. */
    firstAudible: (since = 0) =>
      blocks.find((each) => each.at >= since && rms(each.sound) >= AUDIBLE)?.at ?? null,
    lastAudible: (since = 0) =>
      blocks.findLast((each) => each.at >= since && rms(each.sound) >= AUDIBLE)?.at ?? null,
  };
  Object.assign(window, { tap });
})();
