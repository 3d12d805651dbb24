import { RealtimeError } from "./errors.js";
import { GrowingText, isHighSurrogate, pieces, wellFormed } from "./units.js";

/** @import {Cancelled, Done, Ready} from "../realtime.js" */
/** @import {ClientMessage, ServerMessage, WireFrame} from "./wire.js" */

const NO_HANDLE = 0;

/**
 * What a context needs of its session.
 * @typedef {object} Link
 * @property {(message: ClientMessage) => void} put
 * @property {(message: ClientMessage) => Promise<ServerMessage[]>} ask rejects when the session is over
 * @property {() => RealtimeError | null} over why the session is over
 * @property {() => number} maxTextBytes of one message
 */

/** @typedef {{resolve: () => void, reject: (error: RealtimeError) => void}} Waiting */

/**
 * One context: text goes in, sound comes out. Made by `Session.open`; realtime.d.ts says how it is used. Methods
 * that begin with `_` are the session's.
 */
export class Context extends EventTarget {
  /** @type {number | null} */
  handle = null;
  /** @type {Ready | null} */
  settings = null;
  #link;
  #asked;
  #text = new GrowingText();
  /** The first half of a character whose other half has not come. */
  #half = "";
  #ended = false;
  #silenced = false;
  /** @type {Done | null} */
  #done = null;
  /** @type {Cancelled | null} */
  #cancelled = null;
  /** @type {Promise<Cancelled> | null} */
  #cancelling = null;
  /** Why it failed, was refused or takes no more text. @type {RealtimeError | null} */
  #failure = null;
  #settled = false;
  #flushed = 0;
  /** @type {Map<string, Waiting>} */
  #flushes = new Map();
  /** @type {(end: Done | Cancelled) => void} */
  #finish = () => {};
  /** @type {(error: RealtimeError) => void} */
  #fail = () => {};

  /**
   * @param {Link} link
   * @param {string} id
   * @param {Ready | null} asked the settings when it was asked for, unless they were about to change
   */
  constructor(link, id, asked) {
    super();
    this.#link = link;
    this.#asked = asked;
    this.id = id;
    /** @type {Promise<Done | Cancelled>} */
    this.finished = handled(
      new Promise((resolve, reject) => {
        this.#finish = resolve;
        this.#fail = reject;
      }),
    );
  }

  get text() {
    return this.#text.text;
  }

  // -- text in ------------------------------------------------------------------------------------------

  /** @param {string} text */
  send(text) {
    if (typeof text !== "string") throw new TypeError("text to speak is a string");
    if (!this.#takesText()) return;
    const whole = this.#half + text;
    const isCut = isHighSurrogate(whole.charCodeAt(whole.length - 1));
    this.#half = isCut ? whole.slice(-1) : "";
    this.#put(isCut ? whole.slice(0, -1) : whole);
  }

  flush() {
    const flush_id = `flush-${++this.#flushed}`;
    const flushed = new Promise((resolve, reject) => {
      if (!this.#takesText()) return reject(this.#closed("it was cancelled"));
      this.#flushes.set(flush_id, { resolve: () => resolve(undefined), reject });
      this.#link.put({ type: "flush", context_id: this.id, flush_id });
    });
    return handled(/** @type {Promise<void>} */ (flushed));
  }

  end() {
    // What has failed or is over has no more text either: `finished` tells why.
    if (this.#ended || this.#silenced || this.#done !== null) return;
    if (this.#failure !== null || this.#link.over() !== null) return;
    this.#put(this.#half);
    this.#ended = true;
    this.#link.put({ type: "end", context_id: this.id });
  }

  // -- the listener -------------------------------------------------------------------------------------

  /** @param {{playedMs?: number | undefined}} [options] */
  cancel({ playedMs } = {}) {
    this.#cancelling ??= handled(this.#cancel(playedMs));
    return this.#cancelling;
  }

  /** @param {number} ms */
  played(ms) {
    if (!Number.isFinite(ms)) throw new RealtimeError("invalid_message", "what was played is a number of ms");
    // What has left over a track counts as heard; the server knows of that by itself.
    if (this.settings?.audio === "rtc") return;
    if (this.#isOnTheWire()) this.#link.put({ type: "playback", context_id: this.id, played_ms: ms });
  }

  pause() {
    if (this.#isOnTheWire()) this.#link.put({ type: "pause", context_id: this.id });
  }

  continue() {
    if (this.#isOnTheWire()) this.#link.put({ type: "continue", context_id: this.id });
  }

  // -- of the session -----------------------------------------------------------------------------------

  /** Whether nothing more will come, but for an answer to a cancel. */
  get _isOver() {
    return this.#settled;
  }

  /** From here on no sound comes, and nothing about it. */
  _silence() {
    this.#silenced = true;
  }

  /**
   * @param {ServerMessage} message
   * @param {Ready | null} settings those that the server told last
   * @param {boolean} resumed then those may be newer than the opening
   * @param {number} at
   */
  _opened(message, settings, resumed, at) {
    this.handle = message.handle ?? null;
    this.settings = (resumed ? this.#asked : null) ?? settings;
    this.#tell("opened", { ...message, at });
  }

  /**
   * @param {WireFrame} frame
   * @param {number} at
   */
  _frame(frame, at) {
    if (!this.#silenced) this.#tell("frame", { context: this.id, ...frame, at });
  }

  /**
   * @param {ServerMessage} message
   * @param {number} at
   */
  _message(message, at) {
    switch (message.type) {
      case "loading":
        this.#heard("loading", { ...message, ...progressOf(message), at });
        break;
      case "segment":
        this.#heard("segment", { ...message, range: this.#text.range(message.source ?? [0, 0]), at });
        break;
      case "words":
        this.#heard("words", { ...message, words: this.#ranged(message.words ?? []), at });
        break;
      case "flow":
        this.#heard("flow", { ...message, at });
        break;
      case "playback":
        this.#heard("playback", { ...message, at });
        break;
      case "flush.done":
        this.#flushDone(message, at);
        break;
      case "context.done":
        this.#done ??= /** @type {Done} */ (/** @type {unknown} */ ({ ...message, at }));
        // After a cancel its answer tells more; `_answered` says when there is none.
        if (!this.#silenced) this._tellDone();
        break;
      case "context.cancelled":
        this.#takeCancelled(message, at);
        break;
    }
  }

  /** What was asked of it, and of others, has been answered: a `context.done` that was held back is told. */
  _tellDone() {
    const done = this.#done;
    if (done === null || this.#settled) return;
    this.#settled = true;
    if (done.reason === "completed") this.#finish(done);
    else this.#fail(this.#failure ?? new RealtimeError("internal", "the context failed", this.#named()));
    this.#giveUpFlushes(this.#closed("it is over"));
    this.#tell("done", done);
  }

  /** The server says that something about it is wrong. @param {RealtimeError} error */
  _error(error) {
    // Late text after a failure or a cancel is no news.
    if (error.code === "context_closed" && (this.#silenced || this.#failure !== null)) return;
    if (error.code !== "context_closed" && error.code !== "invalid_message") this.#failure ??= error;
    this.#tell("error", error);
  }

  /** The server did not open it, or the session is over. @param {RealtimeError} error */
  _fail(error) {
    this.#giveUpFlushes(error);
    if (this.#settled) return;
    this.#failure ??= error;
    this.#settled = true;
    this.#fail(error);
    this.#tell("error", error);
  }

  /** The server had ended it, and takes its late text for that of another context. */
  _endedEarly() {
    if (this.#failure !== null) return;
    this.#failure = this.#closed("the server has ended it: it said nothing for 10 s while others waited");
    this.#tell("error", this.#failure);
  }

  // -- within -------------------------------------------------------------------------------------------

  /** Whether text may be sent; false after a cancel: an LLM may write on for a while. */
  #takesText() {
    if (this.#silenced) return false;
    const over = this.#link.over() ?? this.#failure;
    if (over !== null) throw over;
    if (this.#ended || this.#done !== null) throw this.#closed("it was ended, and takes no more text");
    return true;
  }

  #isOnTheWire() {
    return !this.#silenced && this.#link.over() === null && (this.#failure === null || this.handle !== null);
  }

  /** @param {string} text */
  #put(text) {
    const whole = wellFormed(text);
    this.#text.append(whole);
    for (const piece of pieces(whole, this.#link.maxTextBytes())) {
      this.#link.put({ type: "text", context_id: this.id, text: piece });
    }
  }

  /**
   * @param {number | undefined} playedMs
   * @returns {Promise<Cancelled>}
   */
  async #cancel(playedMs) {
    this.#silenced = true;
    this.#giveUpFlushes(this.#closed("it was cancelled"));
    if (this.#cancelled !== null) return this.#cancelled;
    if (this.#failure !== null && this.handle === null) throw this.#failure;
    const played_ms = Number.isFinite(playedMs) ? playedMs : undefined;
    for (const answer of await this.#link.ask({ type: "cancel", context_id: this.id, played_ms })) {
      const isMine = answer.handle === this.handle || answer.handle === NO_HANDLE; // 0: it is not known any more
      if (answer.type === "context.cancelled" && answer.context_id === this.id && isMine) {
        this.#takeCancelled(answer, performance.now());
      }
    }
    this._tellDone();
    if (this.#cancelled !== null) return this.#cancelled;
    throw this.#failure ?? this.#closed("another context has its id by now, and was cancelled in its place");
  }

  /**
   * @param {ServerMessage} message
   * @param {number} at
   */
  #takeCancelled(message, at) {
    this.#silenced = true;
    if (this.#cancelled !== null) return;
    this.#cancelled = rangedCancelled(message, at);
    this.#giveUpFlushes(this.#closed("it was cancelled"));
    this.#settled = true;
    this.#finish(this.#cancelled);
    this.#tell("cancelled", this.#cancelled);
  }

  /**
   * @param {ServerMessage} message
   * @param {number} at
   */
  #flushDone(message, at) {
    const waiting = this.#flushes.get(message.flush_id ?? "");
    if (waiting === undefined) return; // it was told twice, for the connection was lost
    this.#flushes.delete(message.flush_id ?? "");
    waiting.resolve();
    this.#heard("flushed", { ...message, at });
  }

  /** @param {RealtimeError} error */
  #giveUpFlushes(error) {
    for (const { reject } of this.#flushes.values()) reject(error);
    this.#flushes.clear();
  }

  /** @param {NonNullable<ServerMessage["words"]>} words */
  #ranged(words) {
    return words.map((word) => ({ ...word, range: this.#text.range(word.source) }));
  }

  #named() {
    return { contextId: this.id };
  }

  /** @param {string} why */
  #closed(why) {
    return new RealtimeError("context_closed", `context '${this.id}': ${why}`, this.#named());
  }

  /**
   * @param {string} type
   * @param {unknown} detail
   */
  #heard(type, detail) {
    if (!this.#silenced) this.#tell(type, detail);
  }

  /**
   * @param {string} type
   * @param {unknown} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/**
 * A `context.cancelled` with what was spoken in UTF-16 units.
 * @param {ServerMessage} message
 * @param {number} at
 * @returns {Cancelled}
 */
export function rangedCancelled(message, at) {
  const spokenEnd = message.text_spoken?.length ?? 0;
  const ranged = { ...message, range: [0, spokenEnd], spokenEnd, at };
  return /** @type {Cancelled} */ (/** @type {unknown} */ (ranged));
}

/**
 * How far a `loading` says that it is, in a form that everybody can show.
 * @param {ServerMessage} message
 */
function progressOf({ what, fraction }) {
  return {
    what: typeof what === "string" ? what : "",
    fraction: typeof fraction === "number" ? Math.min(1, Math.max(0, fraction)) : 0,
  };
}

/**
 * A promise that nobody has to look at: it fails only for who waits for it.
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export function handled(promise) {
  promise.catch(() => {});
  return promise;
}
