import { RealtimeError, SESSION_CLOSED, told } from "./errors.js";
import { Line } from "./line.js";
import { Outbox } from "./outbox.js";
import { ANSWERS, Questions } from "./questions.js";
import { Received } from "./received.js";
import { utf8Bytes } from "./units.js";
import { Watch } from "./watch.js";
import { decodeFrame } from "./wire.js";

/** @import {Ready} from "../realtime.js" */
/** @import {ClientMessage, ServerMessage, WireFrame} from "./wire.js" */

/** A context that waits for text is asked after for so long: then the server may take the session for idle. */
const ATTENTIVE_MS = 120_000;

/**
 * What an exchange tells, each frame and message once. `resumed`: which contexts the server has ended before all
 * their text came. `closed` comes once, as the last: without an error when that was in order, and then `reason` says
 * why.
 * @typedef {object} ExchangeListener
 * @property {(ready: Ready) => void} ready
 * @property {(ready: Ready, endedEarly: Set<number>) => void} resumed
 * @property {(frame: WireFrame, at: number) => void} frame
 * @property {(message: ServerMessage, at: number) => void} message
 * @property {(retryInMs: number, reason: string) => void} lost
 * @property {(error: RealtimeError | null, reason: string) => void} closed
 * @property {() => boolean} waits whether anything is still to come of a context
 * @property {(way: "sent" | "received", type: string, bytes: number, at: number) => void} traffic
 */

/**
 * The messages of one session, over one connection after another: what is put arrives, in its order, and what
 * comes is told once.
 */
export class Exchange {
  /** What the server told last. @type {Ready | null} */
  settings = null;
  /** Why it is over. @type {RealtimeError | null} */
  over = null;
  #listener;
  #line;
  #watch;
  #outbox = new Outbox();
  #received = new Received();
  #questions = new Questions();
  #lastActivity = performance.now();
  /** @type {RealtimeError | null} */
  #fatal = null;

  /**
   * @param {URL} address
   * @param {string | undefined} apiKey
   * @param {ClientMessage} start the first message
   * @param {{resume: boolean, stallMs: number}} options
   * @param {ExchangeListener} listener is told of nothing before this returns
   */
  constructor(address, apiKey, start, { resume, stallMs }, listener) {
    this.#listener = listener;
    this.#watch = new Watch(stallMs, {
      expects: (now) => this.#expects(now),
      ask: () => {
        this.#outbox.mark();
        this.#write();
      },
      lost: () => this.#line.drop(),
    });
    this.#line = new Line(address, apiKey, start, resume, stallMs, {
      ready: (ready, again, data) => this.#takeReady(ready, again, data),
      message: (message, data) => this.#takeMessage(message, data),
      frame: (data) => this.#takeFrame(data),
      lost: (retryInMs, reason) => {
        this.#watch.end();
        listener.lost(retryInMs, reason);
      },
      closed: (error, reason) => this.#closed(error, reason),
      resumption: () => ({
        session_id: this.settings?.session_id,
        token: this.settings?.resume_token,
        last: this.#received.last(),
      }),
    });
  }

  /** Whether the settings may be about to change. */
  get isUpdating() {
    return this.#questions.hasUpdate;
  }

  /** @param {ClientMessage} message */
  put(message) {
    if (this.over !== null) return;
    this.#outbox.put(message);
    this.#noteSending();
    this.#write();
  }

  /**
   * Puts a message, and gives all answers to it: those to null are none. Fails when the session ends before.
   * @param {ClientMessage | null} message
   * @returns {Promise<ServerMessage[]>}
   */
  ask(message) {
    return new Promise((resolve, reject) => {
      if (this.over !== null) return reject(this.over);
      const tag = this.#questions.ask(message, (answers) => {
        if (answers === null) reject(this.over);
        else resolve(answers);
      });
      this.#outbox.ask(message, tag);
      this.#noteSending();
      this.#write();
    });
  }

  /** The server does not open the context that waits longest under this id. @param {string} id */
  refused(id) {
    this.#outbox.refused(id);
  }

  /** Nobody listens any more: close what there is. */
  leave() {
    this.#line.leave();
  }

  #write() {
    while (this.#line.isUp) {
      const message = this.#outbox.take();
      if (message === null) return;
      const text = JSON.stringify(message);
      this.#line.send(text);
      this.#listener.traffic("sent", message.type, utf8Bytes(text), performance.now());
    }
  }

  #noteSending() {
    this.#lastActivity = performance.now();
    this.#watch.sent(this.#lastActivity);
  }

  /** Whether the server has something to say. @param {number} now */
  #expects(now) {
    if (!this.#outbox.isProven || !this.#questions.isEmpty) return true;
    return now < this.#lastActivity + ATTENTIVE_MS && this.#listener.waits();
  }

  /**
   * @param {Ready} ready
   * @param {boolean} again
   * @param {string} data
   */
  #takeReady(ready, again, data) {
    this.#noteReceived("session.ready", data);
    this.settings = ready;
    this.#watch.begin();
    if (again) {
      this.#received.resumed();
      const { endedEarly, cancelled } = this.#outbox.resumed(ready.contexts ?? []);
      this.#questions.miss([...cancelled].filter((handle) => !this.#received.isCancelled(handle)));
      this.#listener.resumed(ready, endedEarly);
    } else {
      if (!this.#line.canResume) this.#outbox.forgetSent();
      this.#listener.ready(ready);
    }
    this.#noteSending();
    this.#write();
  }

  /** @param {ArrayBuffer} data */
  #takeFrame(data) {
    const at = this.#noteReceived("frame", data);
    const frame = decodeFrame(data);
    if (frame === null || !this.#received.frame(frame.handle, frame.seq)) return;
    this.#noteNews();
    this.#listener.frame(frame, at);
  }

  /**
   * @param {ServerMessage} whole
   * @param {string} data
   */
  #takeMessage(whole, data) {
    const at = this.#noteReceived(whole.type, data);
    if (whole.type === "pong") {
      this.#takePong(whole.t);
      return;
    }
    const message = this.#received.message(whole);
    if (message === null) return;
    this.#noteNews();
    const { type, context_id: id = "", handle = 0 } = message;
    if (type === "session.ready") this.settings = /** @type {any} */ (message);
    else if (type === "context.opened") this.#outbox.opened(id, handle);
    else if (type === "context.done" || type === "context.cancelled") this.#outbox.over(handle);
    if (type === "error" && message.fatal) this.#fatal = told(message);
    else this.#listener.message(message, at);
    // That we send too much is told whenever it is so.
    if (ANSWERS.has(type) && message.code !== "rate_limited") this.#questions.take(message);
  }

  /** @param {unknown} tag */
  #takePong(tag) {
    if (typeof tag !== "string") return;
    this.#line.works();
    this.#outbox.pong(tag);
    this.#watch.answered(this.#outbox.isProven);
    this.#questions.pong(tag);
  }

  #noteNews() {
    this.#lastActivity = performance.now();
    this.#line.works();
  }

  /**
   * @param {string} type
   * @param {string | ArrayBuffer} data
   */
  #noteReceived(type, data) {
    const at = performance.now();
    this.#watch.heard(at);
    const bytes = typeof data === "string" ? utf8Bytes(data) : data.byteLength;
    this.#listener.traffic("received", type, bytes, at);
    return at;
  }

  /**
   * @param {RealtimeError | null} lineError
   * @param {string} reason
   */
  #closed(lineError, reason) {
    this.#watch.end();
    const error = this.#fatal ?? lineError;
    this.over = error ?? new RealtimeError(SESSION_CLOSED, `the session is over${reason && `: ${reason}`}`);
    this.#questions.end();
    this.#listener.closed(error, reason);
  }
}
