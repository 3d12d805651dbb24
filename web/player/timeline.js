/**
 * Where the sound of an utterance lies in a medium that also holds silence, which the player has put in.
 * Everything is in samples at 48 kHz; positions are those of the utterance's timeline.
 */
export class Timeline {
  /** @type {Array<{media: number, position: number}>} where real sound begins, first or after silence */
  #runs;
  #position;
  #media;
  #filled = false;

  /**
   * @param {number} position of the first sample of the first packet: minus the pre-skip
   * @param {number} media where the medium has it
   */
  constructor(position, media) {
    this.#runs = [{ media, position }];
    this.#position = position;
    this.#media = media;
  }

  /** Where the medium ends. */
  get end() {
    return this.#media;
  }

  /** @param {number} samples of real sound that come next */
  add(samples) {
    if (this.#filled) this.#runs.push({ media: this.#media, position: this.#position });
    this.#filled = false;
    this.#position += samples;
    this.#media += samples;
  }

  /** @param {number} samples of silence that come next */
  fill(samples) {
    this.#filled = true;
    this.#media += samples;
  }

  /**
   * The position of the sample that is next at a place in the medium.
   * @param {number} media
   */
  positionAt(media) {
    const index = this.runAt(media);
    const run = this.#runs[index];
    if (!run) return 0;
    const next = this.#runs[index + 1]?.position ?? this.#position;
    return Math.max(0, Math.min(run.position + media - run.media, next));
  }

  /**
   * Where the medium has a position; one that is followed by silence is before it.
   * @param {number} position
   */
  mediaAt(position) {
    const run = this.#runs.findLast((one) => one.position < position) ?? this.#runs[0];
    return run ? run.media + position - run.position : 0;
  }

  /**
   * The number of the stretch of real sound that was begun last at a place in the medium; -1 before the
   * first.
   * @param {number} media
   */
  runAt(media) {
    return this.#runs.findLastIndex((one) => one.media <= media);
  }

  /**
   * The silence before a stretch of real sound, from 1.
   * @param {number} run its number
   * @returns {{from: number, to: number}} places in the medium
   */
  gapBefore(run) {
    const [before, after] = [this.#runs[run - 1], this.#runs[run]];
    if (!before || !after) throw new RangeError(`no silence before stretch ${run}`);
    return { from: before.media + after.position - before.position, to: after.media };
  }

  /**
   * How much real sound follows without a break at a place in the medium.
   * @param {number} media
   */
  soundAt(media) {
    const run = this.runAt(media);
    const end = run + 1 < this.#runs.length ? this.gapBefore(run + 1).from : this.realEnd;
    return Math.max(0, end - media);
  }

  /** Where the real sound in the medium ends that has come. */
  get realEnd() {
    return this.mediaAt(this.#position);
  }

  /** What comes next is put behind silence. */
  get filled() {
    return this.#filled;
  }
}
