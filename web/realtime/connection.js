import { CONNECTION_FAILED, RealtimeError, told } from "./errors.js";
import { decodeMessage, PROTOCOL } from "./wire.js";

/** @import {Ready} from "../realtime.js" */
/** @import {ClientMessage, ServerMessage} from "./wire.js" */

export const DONE = 1000;
/** RFC 6455: a connection that was lost without a closing handshake. */
export const CUT_OFF = 1006;
/** Any code but 1000, with which a client would end its session: another connection shall take it up. */
const ABANDONED = 4000;
/** Between the events `error` and `close`, which tells more. */
const ERROR_WAIT_MS = 100;

/**
 * How a connection ended. `error`: what the server said, or why there was none; `began`: whether `session.ready`
 * had come.
 * @typedef {{code: number, reason: string, error: RealtimeError | null, began: boolean}} End
 */

/**
 * What a connection tells, and always in the turn of the event loop in which it came: nothing is between.
 * @typedef {object} Listener
 * @property {(ready: Ready, bytes: string) => void} ready
 * @property {(message: ServerMessage, bytes: string) => void} message
 * @property {(data: ArrayBuffer) => void} frame
 * @property {(end: End) => void} end comes once, as the last
 */

/** One WebSocket: it says `session.start`, and tells what comes from `session.ready` on. */
export class Connection {
  /** @type {WebSocket | null} */
  #socket = null;
  #listener;
  #address;
  #began = false;
  #over = false;
  /** @type {RealtimeError | null} */
  #error = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {URL} address
   * @param {string | undefined} apiKey
   * @param {ClientMessage} start the first message
   * @param {number} patienceMs how long the handshake and the answer to `start` may take
   * @param {Listener} listener is told of nothing before this returns
   */
  constructor(address, apiKey, start, patienceMs, listener) {
    this.#address = address;
    this.#listener = listener;
    this.#timer = setTimeout(() => this.#fail("no answer came in time"), patienceMs);
    try {
      this.#socket = this.#open(apiKey, start);
    } catch (error) {
      // Node has no WebSocket before version 22; a key may hold characters that no subprotocol may hold.
      const why = error instanceof Error ? error.message : String(error);
      queueMicrotask(() => this.#fail(why));
    }
  }

  /** @param {string} text a message, as JSON */
  send(text) {
    // What is sent to a socket that closes is lost, as with one that breaks: it is sent again on the next.
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  /** Close it, and hear no more of it: the session is over. */
  close() {
    this.#leave(DONE);
  }

  /** Hear no more of it: it is dead, and another connection takes its place. */
  abandon() {
    this.#leave(ABANDONED);
  }

  /**
   * @param {string | undefined} apiKey
   * @param {ClientMessage} start
   */
  #open(apiKey, start) {
    const socket = new WebSocket(this.#address, [PROTOCOL, ...(apiKey ? [`api-key.${apiKey}`] : [])]);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(JSON.stringify(start));
    socket.onmessage = ({ data }) => {
      if (this.#over) return;
      if (typeof data !== "string") {
        if (this.#began) this.#listener.frame(data);
        return;
      }
      const message = decodeMessage(data);
      if (message !== null && this.#began) this.#listener.message(message, data);
      else if (message !== null) this.#answered(message, data);
    };
    socket.onclose = ({ code, reason }) => this.#end(code, reason);
    // Chromium fires no `close` where the page's content security policy forbids the connection.
    socket.onerror = () => setTimeout(() => this.#end(CUT_OFF, ""), ERROR_WAIT_MS);
    return socket;
  }

  /**
   * The answer to `session.start`.
   * @param {ServerMessage} message
   * @param {string} data
   */
  #answered(message, data) {
    if (message.type === "session.ready") {
      this.#began = true;
      clearTimeout(this.#timer);
      this.#listener.ready(/** @type {any} */ (message), data);
    } else if (message.type === "error") {
      this.#error = told(message);
      // Behind a fatal one comes the server's own close code.
      if (!message.fatal) this.#end(CUT_OFF, "", DONE);
    } else {
      this.#fail("the server speaks another protocol");
    }
  }

  /** @param {string} why */
  #fail(why) {
    this.#error ??= new RealtimeError(CONNECTION_FAILED, `no session at ${this.#address.href}: ${why}`);
    this.#end(CUT_OFF, "");
  }

  /**
   * @param {number} code
   * @param {string} reason
   * @param {number} [closeWith] the code of our own close frame, where there is still a connection
   */
  #end(code, reason, closeWith = ABANDONED) {
    if (this.#over) return;
    this.#leave(closeWith);
    this.#listener.end({ code, reason, error: this.#error, began: this.#began });
  }

  /** @param {number} code */
  #leave(code) {
    this.#over = true;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    // To close one that is not open yet is an error on the console.
    if (socket?.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close(code);
    else socket?.close(code); // nobody waits for the handshake: that of a dead connection may take minutes
  }
}
