/**
 * The end of the WebCodecs player: runs in the audio thread, plays decoded samples one after another, and
 * says at which frame of the audio graph what happened. Imports nothing, so that every browser loads it.
 *
 * In, from the decoder: {type: "samples", id, samples} · {type: "end", id}. From the page: {type: "decoder",
 * port} · {type: "stop", id} (it and all before it) · {type: "pause"} · {type: "resume"} · {type:
 * "threshold", samples} · {type: "close"}
 *
 * Out: {type, id, frame, position} where type is "start", "dry", "end" or "halt": at this frame of the graph
 * the sample of this position is the next; and {type: "tick"}, 16 times a second.
 */

/** Of a fade, in samples: 2.7 ms are too short to be heard as such, and long enough not to click. */
const FADE = 128;
const TICK = 3072;
/**
 * Ticks go on for so long after the last sample, and after all that is told: as long as it may take to the
 * loudspeaker; in samples.
 */
const TICKS_AFTER = 48_000;
/** Sound that stays alone begins after this many times the threshold: its end must be heard at some time. */
const PATIENCE = 2;
const LEAST_PATIENCE = 5760;

/** @typedef {{id: number, samples: Float32Array | null}} Item `null` ends the utterance */

class Playout extends AudioWorkletProcessor {
  /** @type {Item[]} */
  #queue = [];
  /** Samples of the first item that have been played. */
  #taken = 0;
  /** Samples in the queue. */
  #held = 0;
  /** @type {number | null} the utterance that has begun and not ended */
  #id = null;
  /** Samples of it that have been played. */
  #position = 0;
  #sounding = false;
  #paused = false;
  #closed = false;
  /** The last that was stopped: of those up to it something may still come. */
  #stopped = -1;
  /** What was held while it sounded was enough, and goes on at once. */
  #goOn = false;
  /** Samples since the first item began to wait. */
  #waited = 0;
  #threshold;
  /** What is still to be heard of a sound that was cut: it fades, and is added to what comes. */
  #tail = new Float32Array(FADE);
  #tailAt = FADE;
  /** Samples that are still to be faded in. */
  #fadeIn = 0;
  #lastSample = 0;
  #ticked = 0;
  #idle = TICKS_AFTER;

  /** @param {AudioWorkletNodeOptions} options */
  constructor(options) {
    super();
    /** @type {number} */
    this.#threshold = options.processorOptions.threshold;
    this.port.onmessage = ({ data }) => this.#told(data);
  }

  /** @param {any} message */
  #told(message) {
    if (message.id <= this.#stopped) return;
    switch (message.type) {
      case "decoder":
        message.port.onmessage = (/** @type {MessageEvent} */ { data }) => this.#told(data);
        break;
      case "samples":
        this.#queue.push(message);
        this.#held += message.samples.length;
        break;
      case "end":
        this.#queue.push({ id: message.id, samples: null });
        break;
      case "stop":
        this.#stopped = message.id;
        this.#cut();
        this.#queue = [];
        this.#taken = this.#held = this.#fadeIn = this.#waited = 0;
        this.#id = null;
        this.#sounding = this.#paused = this.#goOn = false;
        break;
      case "pause":
        this.#cut();
        if (this.#sounding) {
          this.#say("halt", 0);
          this.#goOn = true;
        }
        this.#sounding = false;
        this.#paused = true;
        break;
      case "resume":
        this.#paused = false;
        break;
      case "threshold":
        this.#threshold = message.samples;
        break;
      case "close":
        this.#closed = true;
        break;
    }
  }

  /**
   * @param {Float32Array[][]} _inputs
   * @param {Float32Array[][]} outputs
   */
  process(_inputs, outputs) {
    const out = outputs[0]?.[0];
    if (!out) return true;
    const filled = this.#paused ? 0 : this.#fill(out);
    if (this.#sounding) this.#lastSample = out[filled - 1] ?? this.#lastSample;
    this.#addTail(out);
    this.#tick(out.length);
    return !this.#closed;
  }

  /**
   * Plays into `out`, over the ends of utterances; returns how many samples it had.
   * @param {Float32Array} out
   */
  #fill(out) {
    let at = 0;
    while (at < out.length) {
      const item = this.#queue[0];
      if (!item) {
        if (this.#sounding) this.#ranDry(out, at);
        break;
      }
      if (!item.samples) {
        this.#queue.shift();
        this.#ended(item.id, at);
        continue;
      }
      if (!this.#sounding && !this.#begin(item, at, out.length)) break;
      const part = item.samples.subarray(this.#taken, this.#taken + out.length - at);
      out.set(part, at);
      this.#fadeInto(out, at, part.length);
      at += part.length;
      this.#taken += part.length;
      this.#held -= part.length;
      this.#position += part.length;
      if (this.#taken === item.samples.length) {
        this.#queue.shift();
        this.#taken = 0;
      }
    }
    return at;
  }

  /**
   * Begins, or goes on, when there is enough; says whether it did.
   * @param {Item} item
   * @param {number} at
   * @param {number} length of the quantum
   */
  #begin(item, at, length) {
    const patience = Math.max(LEAST_PATIENCE, this.#threshold * PATIENCE);
    const enough = this.#held >= this.#threshold || this.#waited >= patience || this.#complete(item.id);
    if (!enough && !this.#goOn) {
      this.#waited += length;
      return false;
    }
    if (this.#id === item.id) {
      this.#fadeIn = FADE;
    } else {
      this.#id = item.id;
      this.#position = 0;
    }
    this.#sounding = true;
    this.#goOn = false;
    this.#waited = 0;
    this.#say("start", at);
    return true;
  }

  /** @param {number} id */
  #complete(id) {
    return this.#queue.some((item) => item.id === id && !item.samples);
  }

  /**
   * @param {number} id
   * @param {number} at
   */
  #ended(id, at) {
    if (this.#id !== id) this.#position = 0;
    this.#id = id;
    this.#say("end", at);
    this.#id = null;
    this.#sounding = this.#goOn = false;
    this.#fadeIn = this.#waited = 0;
  }

  /**
   * @param {Float32Array} out
   * @param {number} at
   */
  #ranDry(out, at) {
    this.#say("dry", at);
    this.#sounding = false;
    // What has been played is right to the end. So that it does not click, its last sample fades.
    const last = (at > 0 ? out[at - 1] : this.#lastSample) ?? 0;
    this.#tail.fill(last);
    this.#fadeTail(-at);
  }

  /** Lets what would be next fade away. The queue stays as it is. */
  #cut() {
    if (!this.#sounding) return;
    this.#tail.fill(0);
    let at = 0;
    let from = this.#taken;
    for (const { id, samples } of this.#queue) {
      if (at === FADE || id !== this.#id || !samples) break;
      const part = samples.subarray(from, from + FADE - at);
      this.#tail.set(part, at);
      at += part.length;
      from = 0;
    }
    this.#fadeTail(0);
  }

  /** @param {number} at where it begins, counted from the start of the quantum: negative is later */
  #fadeTail(at) {
    for (let i = 0; i < FADE; i++) this.#tail[i] = (this.#tail[i] ?? 0) * (1 - (i + 1) / FADE);
    this.#tailAt = at;
  }

  /** @param {Float32Array} out */
  #addTail(out) {
    for (let i = 0; i < out.length && this.#tailAt < FADE; i++, this.#tailAt++) {
      if (this.#tailAt >= 0) out[i] = (out[i] ?? 0) + (this.#tail[this.#tailAt] ?? 0);
    }
  }

  /**
   * @param {Float32Array} out
   * @param {number} at
   * @param {number} count
   */
  #fadeInto(out, at, count) {
    for (let i = at; i < at + count && this.#fadeIn > 0; i++, this.#fadeIn--) {
      out[i] = (out[i] ?? 0) * (1 - this.#fadeIn / FADE);
    }
  }

  /** @param {number} length */
  #tick(length) {
    this.#idle = this.#sounding || this.#queue.length > 0 ? 0 : this.#idle + length;
    this.#ticked += length;
    if (this.#ticked < TICK || this.#idle >= TICKS_AFTER) return;
    this.#ticked = 0;
    this.port.postMessage({ type: "tick" });
  }

  /**
   * @param {"start" | "dry" | "end" | "halt"} type
   * @param {number} at where in the quantum
   */
  #say(type, at) {
    const frame = currentFrame + at;
    this.#idle = 0;
    this.port.postMessage({ type, id: this.#id, frame, position: this.#position });
  }
}

registerProcessor("playout", Playout);
