// Runs in a page before its own scripts: listens to all that any AudioContext sends to its loudspeaker.
//
// Every node that is connected to a destination is connected to a recorder as well: a worklet that keeps the sound, and
// tells how loud each quantum (128 samples) was, and when by the wall clock. `window.tap` has what it heard. A page that
// is listened to has one AudioContext at a time: of two, all that is heard is mixed up.
(() => {
  const AUDIBLE = 10 ** (-45 / 20);
  const LOUD = 2;
  const RECORDER = `
    registerProcessor("tap", class extends AudioWorkletProcessor {
      constructor() {
        super();
        this.keep = true;
        this.seen = this.ahead = 0;
        this.forget();
        this.port.onmessage = ({ data }) => {
          if (data.keep !== undefined) this.keep = data.keep;
          if (data.forget) this.forget();
          this.send(data.question);
        };
      }
      forget() {
        this.run = null;
        this.sound = new Float32Array(40 * 128);
        this.filled = this.lost = this.longestMs = 0;
      }
      send(question) {
        const sound = this.filled > 0 ? this.sound.slice(0, this.filled) : null;
        const { run, lost, longestMs } = this;
        this.port.postMessage({ question, run, lost, longestMs, sound });
        this.filled = 0;
      }
      process([channels]) {
        const at = Date.now();
        // fill() stands alone: what it returns for a subarray is the whole array to the optimizer of Firefox 153.
        const sound = this.sound.subarray(this.filled, this.filled + 128);
        sound.fill(0);
        for (const channel of channels) for (let i = 0; i < 128; i += 1) sound[i] += channel[i] / channels.length;
        let energy = 0;
        for (let i = 0; i < 128; i += 1) energy += sound[i] * sound[i];
        const kind = energy === 0 ? 0 : energy < ${128 * AUDIBLE ** 2} ? 1 : ${LOUD};
        // Quanta are counted: while Chromium's threads wait for each other currentFrame stands still, and is right
        // later. In the beginning it jumps, for the graph is put together at that moment.
        const ahead = currentFrame / 128 - this.seen;
        if (this.seen >= 50) this.lost += Math.max(0, ahead - this.ahead);
        this.ahead = Math.max(this.ahead, ahead);
        if (this.seen > 0) this.longestMs = Math.max(this.longestMs, at - this.at);
        const frame = this.seen * 128;
        this.seen += 1;
        this.at = at;
        if (this.keep) this.filled += 128;
        const begins = this.run?.kind !== kind;
        if (begins) {
          if (this.run) this.send();
          this.run = { kind, frame, from: at, to: at, quanta: 0 };
        }
        this.run.to = at;
        this.run.quanta += 1;
        if (begins || this.filled === this.sound.length) this.send();
        return true;
      }
    });`;

  /**
   * @typedef {object} Run quanta of one kind, one after another
   * @property {number} kind 0: nothing but zeros, 1: below AUDIBLE, 2: audible
   * @property {number} frame of its first quantum; 0 was when the recorder began
   * @property {number} from wall clock of its first quantum, in ms
   * @property {number} to wall clock of its last quantum, in ms
   * @property {number} quanta
   */
  /** @typedef {{port: MessagePort, run: Run | null, lost: number, longestMs: number}} Recorder */

  /** @type {Run[]} */
  let runs = [];
  /** @type {Float32Array[]} */
  let sounds = [];
  let keeping = true;
  let questions = 0;
  /** @type {Map<BaseAudioContext, AudioNode>} */
  const contexts = new Map();
  /** @type {Recorder[]} */
  const recorders = [];
  /** @type {Map<number, () => void>} */
  const asked = new Map();
  /** @type {Set<() => void>} */
  const waiting = new Set();

  /**
   * @param {Recorder} recorder
   * @param {{question?: number, run: Run | null, lost: number, longestMs: number, sound: Float32Array | null}} told
   */
  const onTold = (recorder, { question, run, lost, longestMs, sound }) => {
    if (sound) sounds.push(sound);
    if (run && recorder.run?.frame === run.frame) Object.assign(recorder.run, run);
    else if (run) {
      recorder.run = run;
      runs.push(run);
    }
    Object.assign(recorder, { lost, longestMs });
    asked.get(question ?? Number.NaN)?.();
    for (const look of waiting) look();
  };

  /** @param {BaseAudioContext} context */
  const recorderOf = (context) => {
    const known = contexts.get(context);
    if (known) return known;
    const meeting = new GainNode(context, { channelCount: 1, channelCountMode: "explicit" });
    contexts.set(context, meeting);
    const url = URL.createObjectURL(new Blob([RECORDER], { type: "text/javascript" }));
    context.audioWorklet.addModule(url).then(() => {
      const node = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
      /** @type {Recorder} */
      const recorder = { port: node.port, run: null, lost: 0, longestMs: 0 };
      node.port.onmessage = ({ data }) => onTold(recorder, data);
      node.port.postMessage({ keep: keeping });
      recorders.push(recorder);
      meeting.connect(node);
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

  /**
   * Tells all recorders something, and waits until they have answered; a closed AudioContext never does.
   * @param {object} message
   */
  const ask = (message) =>
    Promise.all(
      recorders.map(async ({ port }) => {
        questions += 1;
        const question = questions;
        await new Promise((resolve) => {
          asked.set(question, () => resolve(null));
          port.postMessage({ ...message, question });
          setTimeout(resolve, 200);
        });
        asked.delete(question);
      }),
    );

  const tap = {
    /** Has what was heard up to now delivered. */
    settle: () => ask({}),
    /** What is heard later begins anew. */
    async clear() {
      await ask({ forget: true });
      runs = [];
      sounds = [];
      for (const recorder of recorders) recorder.run = null;
    },
    /**
     * Whether the sound itself is kept (it is, unless it is told otherwise), and not only how loud it was.
     * @param {boolean} sound
     */
    async keep(sound) {
      keeping = sound;
      await ask({ keep: sound });
    },
    rate: () => [...contexts.keys()][0]?.sampleRate ?? 48000,
    /** Samples as base64 of little-endian float32. */
    sound() {
      const all = new Float32Array(sounds.reduce((sum, each) => sum + each.length, 0));
      let at = 0;
      for (const each of sounds) {
        all.set(each, at);
        at += each.length;
      }
      let text = "";
      const bytes = new Uint8Array(all.buffer);
      for (let i = 0; i < bytes.length; i += 32768)
        text += String.fromCharCode(...bytes.subarray(i, i + 32768));
      return btoa(text);
    },
    /** How loud it was, and when. */
    runs: () => runs,
    /** Quanta that the recorder missed: 0, or it is no witness. */
    lost: () => recorders.reduce((sum, each) => sum + each.lost, 0),
    /** The longest that the audio thread took from one quantum to the next, in ms. */
    longestMs: () => Math.max(0, ...recorders.map((each) => each.longestMs)),
    /** Wall clock of the first audible quantum since `since`; null where there is none. */
    firstAudible(since = 0) {
      const run = runs.find((each) => each.kind === LOUD && each.to >= since);
      return run ? Math.max(run.from, since) : null;
    },
    /** As `firstAudible`, of the last one. */
    lastAudible: () => runs.findLast((each) => each.kind === LOUD)?.to ?? null,
    /**
     * As `firstAudible`, as soon as there is one.
     * @param {number} since
     * @returns {Promise<number>}
     */
    audible: (since) =>
      new Promise((resolve) => {
        const look = () => {
          const at = tap.firstAudible(since);
          if (at === null) return;
          waiting.delete(look);
          resolve(at);
        };
        waiting.add(look);
        look();
      }),
  };
  Object.assign(window, { tap });
})();
