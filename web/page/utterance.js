import { firstBehind, unitsOf } from "./units.js";

/** @typedef {import("../record/log.js").UtteranceLog} UtteranceLog */
/** @typedef {import("./link.js").Screen} Screen */
/** @typedef {import("./units.js").Span} Span */

/**
 * - `waiting`: nothing of it is heard yet
 * - `sounding`
 * - `heard`: to its end
 * - `interrupted`: by the listener; `heardEnd` is where
 * - `unspoken`: there was nothing in it that could be said
 * - `failed`: it ended with an error, after what was heard of it
 * @typedef {"waiting" | "sounding" | "heard" | "interrupted" | "unspoken" | "failed"} State
 */

/** How a voice is being loaded. @typedef {{what: string, fraction: number}} Loading */

/** One utterance as it is shown: its text, and how much of it was sent, is sounding and was heard. */
export class Utterance {
  /** @type {State} */
  state = "waiting";
  /** How the voice that it waits for is being loaded, as it was told last. @type {Loading | null} */
  loading = null;
  /** How far the text was sent; the text is known before, also when it is sent token by token. */
  sentEnd = 0;
  /** What lies before this was heard. */
  heardEnd = 0;
  /** The word that sounds now. @type {Span | null} */
  sounding = null;
  /** From the press of the key to the first sound, in ms; NaN before. */
  firstSoundMs = Number.NaN;
  /** From the press of the key to silence, in ms; NaN unless it was interrupted while it sounded. */
  silenceMs = Number.NaN;
  /** What went wrong, in words. @type {string | null} */
  problem = null;
  /** Words of the log that have begun by the position that was lit last. */
  #begun = 0;

  /**
   * @param {Screen} screen what was set when it was asked for
   * @param {UtteranceLog} log
   * @param {readonly string[]} tokens of the text; empty when it is sent as a whole
   * @param {number} askedAt when a person asked for it, in ms of performance.now()
   */
  constructor(screen, log, tokens, askedAt) {
    this.key = log.id;
    this.text = screen.text;
    this.screen = screen;
    this.log = log;
    this.askedAt = askedAt;
    this.units = unitsOf(this.text);
    let end = 0;
    /** Where each token ends. */
    this.tokenEnds = tokens.map((token) => {
      end += token.length;
      return end;
    });
  }

  /** Whether nothing more of it will be heard. */
  get isOver() {
    return this.state !== "waiting" && this.state !== "sounding";
  }

  /** How many of its words were heard. */
  get heardCount() {
    return this.state === "heard" ? this.units.length : firstBehind(this.units, this.heardEnd);
  }

  /**
   * Marks what is heard at a position.
   * @param {number} playedMs of the utterance's sound; it does not go back
   */
  lightTo(playedMs) {
    const words = this.log.wordList;
    while (this.#begun < words.length && (words[this.#begun]?.startMs ?? 0) <= playedMs) this.#begun += 1;
    const latest = words[this.#begun - 1];
    if (latest === undefined || playedMs <= 0) return;
    const [start, end] = latest.range;
    const isSounding = playedMs < latest.endMs;
    this.sounding = isSounding ? { start, end } : null;
    this.heardEnd = Math.max(this.heardEnd, isSounding ? start : end);
  }

  /** @param {number} end where in the text it was interrupted */
  cutAt(end) {
    this.heardEnd = end;
    this.sounding = null;
  }
}
