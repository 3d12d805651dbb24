// What goes over the socket: addresses, messages, binary frames. The protocol is described in protocol.md.

import { CONNECTION_FAILED, RealtimeError } from "./errors.js";

/** @import {Frame, Word} from "../realtime.js" */

export const PROTOCOL = "realtime.v1";
export const PATH = "/v1/audio/speech/ws";
/** Stands for all contexts in `cancel`. */
export const ALL = "*";

const HEADER_BYTES = 24;
const VERSION = 1;
const KINDS = 4;

/**
 * A message to the server.
 * @typedef {{type: string, context_id?: string, text?: string, resume?: object, [field: string]: unknown}} ClientMessage
 */

/**
 * A message of the server: which fields it has depends on its type.
 * @typedef {object} ServerMessage
 * @property {string} type
 * @property {string} [context_id]
 * @property {number} [handle]
 * @property {string} [code]
 * @property {string} [message]
 * @property {boolean} [fatal]
 * @property {number} [retry_after_ms]
 * @property {string} [reason]
 * @property {number} [drain_ms]
 * @property {unknown} [t]
 * @property {unknown} [what]
 * @property {unknown} [fraction]
 * @property {number} [index]
 * @property {boolean} [final]
 * @property {number} [segment]
 * @property {WireWord[]} [words]
 * @property {[number, number]} [source]
 * @property {string} [flush_id]
 * @property {string} [text_spoken]
 * @property {string} [state]
 */

/** A word, before it is known where it stands in UTF-16 units. @typedef {Omit<Word, "range">} WireWord */

/** A binary frame: what it says itself. @typedef {Omit<Frame, "context" | "at">} WireFrame */

/**
 * A frame from its bytes; null when it is of a version or kind that is not known.
 * @param {ArrayBuffer} data
 * @returns {WireFrame | null}
 */
export function decodeFrame(data) {
  if (data.byteLength < HEADER_BYTES) return null;
  const view = new DataView(data);
  const kind = view.getUint8(1);
  if (view.getUint8(0) !== VERSION || kind < 1 || kind > KINDS) return null;
  const flags = view.getUint16(2);
  return {
    handle: view.getUint32(4),
    seq: view.getUint32(8),
    duration: view.getUint32(12),
    position: view.getUint32(16) * 2 ** 32 + view.getUint32(20),
    first: (flags & 1) !== 0,
    last: (flags & 2) !== 0,
    segmentStart: (flags & 4) !== 0,
    replayed: (flags & 8) !== 0,
    kind,
    payload: new Uint8Array(data, HEADER_BYTES),
  };
}

/**
 * A message from its text; null when it is none.
 * @param {string} data
 * @returns {ServerMessage | null}
 */
export function decodeMessage(data) {
  try {
    const message = JSON.parse(data);
    return typeof message?.type === "string" ? message : null;
  } catch {
    return null;
  }
}

/**
 * Where the server is: http and https stand for ws and wss, and the path may be left out. Without an address
 * it is the server that this module came from.
 * @param {string | URL | undefined} url
 * @returns {URL}
 */
export function addressOf(url) {
  let address;
  try {
    // A page may name its server by a path; a program that has no page, or copied this file, may not.
    address = url === undefined ? new URL(PATH, import.meta.url) : new URL(url, globalThis.document?.baseURI);
  } catch {
    throw new RealtimeError(CONNECTION_FAILED, `this is no URL: ${url}`);
  }
  address.protocol = address.protocol.replace(/^http/, "ws");
  if (!/^wss?:$/.test(address.protocol)) {
    const what =
      url === undefined ? "this module came from no server: give `connect` the URL of one" : `${url}`;
    throw new RealtimeError(
      CONNECTION_FAILED,
      `the URL of a server begins with ws, wss, http or https: ${what}`,
    );
  }
  address.hash = "";
  const path = address.pathname.replace(/\/+$/, "");
  if (!path.endsWith(PATH)) address.pathname = path + PATH;
  return address;
}
