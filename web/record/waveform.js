// What is heard, as it is heard: bars that come in from the right, and stand still when it is silent.

/** How much sound a bar stands for, ms. */
const BAR_MS = 20;
/** CSS pixels of a bar and the gap beside it. */
const BAR = 2;
const GAP = 1;
/** Sound that is softer than this is silence: -60 dBFS. */
const SILENCE = 0.001;
/** After so much silence the bars stand still. A pause between two sentences is shorter, ms. */
const STILL_AFTER_MS = 1200;
/** How often one listens while it is silent, ms. */
const LISTEN_MS = 80;
/** How often one draws where motion is not wanted, ms. */
const SELDOM_MS = 250;
/** Bars that are made up for at most: after that nobody looked, as in a hidden tab. */
const MOST_MISSED = 25;

/** Draws the sound that goes through an analyser. The colour is the canvas's own `color`. */
export class Waveform {
  /**
   * @param {HTMLCanvasElement} canvas sized by its page
   * @param {AnalyserNode} analyser with an `fftSize` of 2048 or more nothing is missed between two pictures
   */
  constructor(canvas, analyser) {
    this.canvas = canvas;
    this.analyser = analyser;
    /** @private */
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    /** @private @type {Float32Array<ArrayBuffer>} */
    this.samples = new Float32Array(analyser.fftSize);
    /** @private peaks of the bars, a ring */
    this.peaks = new Float32Array(1);
    /** @private where the next one goes */
    this.next = 0;
    /** @private until when bars were made, ms */
    this.until = 0;
    /** @private when it was last audible, ms */
    this.audibleAt = Number.NEGATIVE_INFINITY;
    /** @private */
    this.drawnAt = Number.NEGATIVE_INFINITY;
    /** @private whether the bars stand still */
    this.still = true;
    /** @private */
    this.visible = false;
    /** @private */
    this.request = 0;
    /** @private @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @private */
    this.closed = false;
    /** @private */
    this.motion = matchMedia("(prefers-reduced-motion: reduce)");
    /** @private */
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(canvas);
    /** @private */
    this.sights = new IntersectionObserver(([entry]) => {
      this.visible = entry?.isIntersecting ?? false;
      this.go();
    });
    this.sights.observe(canvas);
  }

  /** Draws no more. */
  close() {
    this.closed = true;
    this.sizes.disconnect();
    this.sights.disconnect();
    cancelAnimationFrame(this.request);
    clearTimeout(this.timer);
  }

  /** @private */
  resize() {
    const { canvas } = this;
    const ratio = devicePixelRatio;
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    const count = Math.max(1, Math.ceil(canvas.clientWidth / (BAR + GAP)));
    if (count !== this.peaks.length) {
      const kept = this.inOrder().slice(-count);
      this.peaks = new Float32Array(count);
      this.peaks.set(kept, count - kept.length);
      this.next = 0;
    }
    this.draw();
  }

  /** @private */
  go() {
    if (!this.visible || this.closed || this.request !== 0) {
      return;
    }
    clearTimeout(this.timer);
    this.request = requestAnimationFrame((now) => {
      this.request = 0;
      this.tick(now);
    });
  }

  /** @private @param {number} now */
  tick(now) {
    const audible = this.listen(now);
    if (audible) {
      this.audibleAt = now;
    }
    const still = now - this.audibleAt > STILL_AFTER_MS;
    if (still !== this.still || (!still && now - this.drawnAt >= (this.motion.matches ? SELDOM_MS : 0))) {
      this.still = still;
      this.drawnAt = now;
      this.draw();
    }
    if (still) {
      this.timer = setTimeout(() => this.go(), LISTEN_MS);
    } else {
      this.go();
    }
  }

  /** @private @type {(now: number) => boolean} whether there is something to hear; makes the bars since the last call */
  listen(now) {
    const { analyser } = this;
    if (this.samples.length !== analyser.fftSize) {
      this.samples = new Float32Array(analyser.fftSize);
    }
    analyser.getFloatTimeDomainData(this.samples);
    const perBar = Math.round((analyser.context.sampleRate * BAR_MS) / 1000);
    const due = Math.floor((now - this.until) / BAR_MS);
    if (analyser.context.state !== "running") {
      // An analyser whose clock stands still holds old sound.
      this.until = now;
      return false;
    }
    if (this.still || due > MOST_MISSED) {
      this.until = now - BAR_MS;
      const audible = this.peak(0, perBar) > SILENCE;
      if (audible) {
        this.put(this.peak(0, perBar));
        this.until = now;
      }
      return audible;
    }
    let audible = false;
    for (let bar = due - 1; bar >= 0; bar -= 1) {
      const peak = this.peak(bar * perBar, perBar);
      audible ||= peak > SILENCE;
      this.put(peak);
      this.until += BAR_MS;
    }
    return audible;
  }

  /** @private @type {(before: number, count: number) => number} of `count` samples, `before` the newest ones */
  peak(before, count) {
    const { samples } = this;
    // Where the analyser holds less than has passed, its oldest sound stands for what is missing.
    const end = Math.max(Math.min(count, samples.length), samples.length - before);
    let peak = 0;
    for (let index = Math.max(0, end - count); index < end; index += 1) {
      peak = Math.max(peak, Math.abs(samples[index] ?? 0));
    }
    return peak;
  }

  /** @private @param {number} peak */
  put(peak) {
    this.peaks[this.next] = peak;
    this.next = (this.next + 1) % this.peaks.length;
  }

  /** @private @returns {number[]} oldest first */
  inOrder() {
    return [...this.peaks.subarray(this.next), ...this.peaks.subarray(0, this.next)];
  }

  /** @private */
  draw() {
    const { canvas, context, peaks } = this;
    const ratio = canvas.clientWidth > 0 ? canvas.width / canvas.clientWidth : 1;
    const height = canvas.clientHeight;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, canvas.clientWidth, height);
    context.fillStyle = getComputedStyle(canvas).color;
    context.globalAlpha = this.still ? 0.4 : 1;
    context.beginPath();
    const left = canvas.clientWidth - peaks.length * (BAR + GAP);
    for (let bar = 0; bar < peaks.length; bar += 1) {
      const peak = peaks[(this.next + bar) % peaks.length] ?? 0;
      // Soft sound is heard louder than its samples are large.
      const tall = Math.max(BAR, Math.min(1, peak ** 0.65) * height);
      context.roundRect(left + bar * (BAR + GAP), (height - tall) / 2, BAR, tall, BAR / 2);
    }
    context.fill();
  }
}
