import { Connection, CUT_OFF, DONE } from "./connection.js";
import { diagnosed } from "./diagnosis.js";
import { CONNECTION_FAILED, CONNECTION_LOST, RealtimeError, SESSION_CLOSED, TAKEN_OVER } from "./errors.js";

/** @import {Ready} from "../realtime.js" */
/** @import {End} from "./connection.js" */
/** @import {ClientMessage, ServerMessage} from "./wire.js" */

const CODE_TAKEN_OVER = 4001;
/** With these a server is done with the session, or says that a message was wrong, which would be sent again. */
const FINAL_CODES = new Set([DONE, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1013, CODE_TAKEN_OVER, 4002]);
/** With these it is of no use to try again. */
const FINAL_ERRORS = new Set(["resume_failed", "unauthorized"]);
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5000;
const LONGEST_DIAL_MS = 10_000;

/**
 * What a line tells. `again`: the session was taken up. `lost`: the next try comes in so many ms. `closed` comes
 * once, as the last: without an error when that was in order, and then `reason` says why.
 * @typedef {object} LineListener
 * @property {(ready: Ready, again: boolean, data: string) => void} ready
 * @property {(message: ServerMessage, data: string) => void} message
 * @property {(data: ArrayBuffer) => void} frame
 * @property {(retryInMs: number, reason: string) => void} lost
 * @property {(error: RealtimeError | null, reason: string) => void} closed
 * @property {() => ClientMessage["resume"]} resumption what to ask for to take up the session
 */

/**
 * The way to the server: a connection, and another one in its place when it is lost.
 *
 * 1. A connection that the server closed on purpose is not replaced, nor one that we closed.
 * 2. The first try is made at once, then after 0.1 s, 0.2 s and so on to 5 s, each a little less by chance: many
 *    clients that lost one server do not come back as one. A server that says when to come again is obeyed. A
 *    system that says that the network is back is believed.
 * 3. It is tried for the server's resume window. A new connection on which nothing new comes begins no new one.
 */
export class Line {
  #address;
  #apiKey;
  #start;
  #resume;
  #stallMs;
  #listener;
  /** @type {Connection | null} */
  #connection = null;
  #isUp = false;
  #isOver = false;
  #canResume = false;
  #windowMs = 0;
  /** @type {number | null} */
  #until = null;
  #tries = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #retry = () => {};
  #online = () => this.#retry();

  /**
   * @param {URL} address
   * @param {string | undefined} apiKey
   * @param {ClientMessage} start the first message
   * @param {boolean} resume a connection that is lost is replaced, if the server can do that
   * @param {number} stallMs
   * @param {LineListener} listener
   */
  constructor(address, apiKey, start, resume, stallMs, listener) {
    this.#address = address;
    this.#apiKey = apiKey;
    this.#start = start;
    this.#resume = resume;
    this.#stallMs = stallMs;
    this.#listener = listener;
    globalThis.addEventListener?.("online", this.#online);
    this.#dial(false);
  }

  /** Whether messages can be sent now. */
  get isUp() {
    return this.#isUp;
  }

  get canResume() {
    return this.#canResume;
  }

  /** @param {string} text a message, as JSON */
  send(text) {
    this.#connection?.send(text);
  }

  /** Something new came. */
  works() {
    this.#until = null;
    this.#tries = 0;
  }

  /** The connection is dead, although nobody said so. */
  drop() {
    this.#connection?.abandon();
    this.#lost(CUT_OFF, "", "the server does not answer any more");
  }

  /** Nobody listens any more: close what there is. */
  leave() {
    this.#connection?.close();
    this.#over(null, "closed here");
  }

  /** @param {boolean} again */
  #dial(again) {
    const start = again ? { ...this.#start, resume: this.#listener.resumption() } : this.#start;
    const patienceMs = again ? Math.min(LONGEST_DIAL_MS, Math.max(1000, this.#stallMs)) : LONGEST_DIAL_MS;
    this.#connection = new Connection(this.#address, this.#apiKey, start, patienceMs, {
      ready: (ready, data) => this.#ready(ready, again, data),
      message: (message, data) => this.#listener.message(message, data),
      frame: (data) => this.#listener.frame(data),
      end: (end) => {
        if (end.began) this.#lost(end.code, end.reason, "the connection was lost");
        else if (again) this.#again(end);
        else this.#failed(end);
      },
    });
  }

  /**
   * @param {Ready} ready
   * @param {boolean} again
   * @param {string} data
   */
  #ready(ready, again, data) {
    if (again && ready.resumed !== true) {
      this.#connection?.close();
      this.#over(new RealtimeError("resume_failed", "the server does not know the session any more"));
      return;
    }
    this.#isUp = true;
    this.#windowMs = ready.limits.resume_window_s * 1000;
    this.#canResume = this.#resume && ready.features.includes("resume") && this.#windowMs > 0;
    this.#listener.ready(ready, again, data);
  }

  /**
   * The first connection could not be had.
   * @param {End} end
   */
  async #failed({ error, code, reason }) {
    this.#over(error ?? (await diagnosed(this.#address, this.#apiKey, code, reason)));
  }

  /**
   * A connection on which the session was is over.
   * @param {number} code
   * @param {string} reason
   * @param {string} why
   */
  #lost(code, reason, why) {
    this.#isUp = false;
    this.#until ??= performance.now() + this.#windowMs;
    if (FINAL_CODES.has(code)) {
      this.#over(closedWith(code, reason), reason);
    } else if (this.#canResume) {
      this.#wait(new RealtimeError(CONNECTION_LOST, why), 0);
    } else {
      this.#over(new RealtimeError(CONNECTION_LOST, why));
    }
  }

  /**
   * A connection that should have replaced another could not be had.
   * @param {End} end
   */
  #again({ error, code, reason }) {
    const refused = error !== null && error.retryAfterMs === null && error.code !== CONNECTION_FAILED;
    if (error !== null && (refused || FINAL_ERRORS.has(error.code))) this.#over(error);
    else if (FINAL_CODES.has(code) && error === null) this.#over(closedWith(code, reason), reason);
    else
      this.#wait(error ?? new RealtimeError(CONNECTION_LOST, "no server answers"), error?.retryAfterMs ?? 0);
  }

  /**
   * Try again later, unless the window will be over by then.
   * @param {RealtimeError} failure
   * @param {number} toldWaitMs
   */
  #wait(failure, toldWaitMs) {
    const waitMs = Math.max(toldWaitMs, this.#nextWaitMs());
    if (this.#until === null || performance.now() + waitMs > this.#until) {
      this.#giveUp(failure);
      return;
    }
    this.#retry = () => {
      clearTimeout(this.#timer);
      this.#retry = () => {};
      this.#dial(true);
    };
    this.#timer = setTimeout(this.#retry, waitMs);
    this.#listener.lost(waitMs, failure.message);
  }

  /** @param {RealtimeError} failure */
  async #giveUp(failure) {
    const found = await diagnosed(this.#address, this.#apiKey, CUT_OFF, "");
    const what = `the connection to the server was lost, and the session with it: ${failure.message}`;
    this.#over(
      new RealtimeError(CONNECTION_LOST, `${what}. ${found.message}`, { retryAfterMs: found.retryAfterMs }),
    );
  }

  #nextWaitMs() {
    this.#tries++;
    if (this.#tries === 1) return 0;
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (this.#tries - 2));
    return longest * (0.5 + Math.random() / 2);
  }

  /**
   * @param {RealtimeError | null} error
   * @param {string} [reason] of an end without an error
   */
  #over(error, reason = "") {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isUp = false;
    this.#retry = () => {};
    clearTimeout(this.#timer);
    globalThis.removeEventListener?.("online", this.#online);
    this.#listener.closed(error, reason);
  }
}

/**
 * @param {number} code
 * @param {string} reason
 */
function closedWith(code, reason) {
  if (code === DONE) return null;
  if (code === CODE_TAKEN_OVER) {
    const message = "the session goes on elsewhere: another connection has taken it up";
    return new RealtimeError(TAKEN_OVER, message, { closeCode: code });
  }
  const why = reason === "" ? `${code}` : `${code} ${reason}`;
  return new RealtimeError(SESSION_CLOSED, `the server closed the session: ${why}`, { closeCode: code });
}
