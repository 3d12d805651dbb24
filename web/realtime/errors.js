/** @import {ServerMessage} from "./wire.js" */

/** Codes that no server sends: what the client itself finds wrong. */
export const CONNECTION_FAILED = "connection_failed";
export const CONNECTION_LOST = "connection_lost";
export const SESSION_CLOSED = "session_closed";
export const TAKEN_OVER = "taken_over";

/** What can go wrong; see `RealtimeError` in realtime.d.ts. */
export class RealtimeError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{retryAfterMs?: number | null, contextId?: string | null, closeCode?: number | null}} [more]
   */
  constructor(code, message, { retryAfterMs = null, contextId = null, closeCode = null } = {}) {
    super(message);
    this.name = "RealtimeError";
    this.code = code;
    this.retryAfterMs = retryAfterMs;
    this.contextId = contextId;
    this.closeCode = closeCode;
  }
}

/**
 * What an `error` of the server says.
 * @param {ServerMessage} message
 */
export function told(message) {
  return new RealtimeError(message.code ?? "internal", message.message ?? "the server gave no reason", {
    retryAfterMs: message.retry_after_ms,
    contextId: message.context_id,
  });
}
