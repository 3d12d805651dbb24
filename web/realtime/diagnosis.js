import { CONNECTION_FAILED, RealtimeError } from "./errors.js";

/** How long the server may take to say what is wrong. */
const PATIENCE_MS = 3000;

/**
 * Why no connection could be had. A browser does not tell what the server answered to a WebSocket; so it is asked
 * once more over HTTP, where the same doors are passed.
 * @param {URL} address of the WebSocket
 * @param {string | undefined} apiKey
 * @param {number} code with which the socket was closed
 * @param {string} reason
 * @returns {Promise<RealtimeError>}
 */
export async function diagnosed(address, apiKey, code, reason) {
  const url = new URL(address);
  url.protocol = url.protocol.replace(/^ws/, "http");
  const closed = reason === "" ? "" : ` (${code} ${reason})`;
  try {
    const response = await fetch(url, {
      headers: apiKey ? { Authorization: `Bearer ${apiKey}` } : {},
      signal: AbortSignal.timeout(PATIENCE_MS),
      cache: "no-store",
    });
    const { error } = await response.json().catch(() => ({}));
    if (typeof error?.code === "string" && response.status !== 400) {
      const wait = Number(response.headers.get("Retry-After"));
      return new RealtimeError(error.code, error.message, { retryAfterMs: wait > 0 ? wait * 1000 : null });
    }
    const what =
      response.status === 400
        ? "the server is there, but the WebSocket was not opened: a proxy between may not let WebSockets through"
        : `what answers there is no such server: HTTP ${response.status}`;
    return new RealtimeError(CONNECTION_FAILED, `no session at ${address.href}: ${what}${closed}`);
  } catch {
    return new RealtimeError(
      CONNECTION_FAILED,
      `no session at ${address.href}: ${unreachable(url)}${closed}`,
    );
  }
}

/** @param {URL} url */
function unreachable(url) {
  const page = globalThis.location;
  const foreign = page !== undefined && page.origin !== url.origin;
  const reasons = ["no server runs there", "the network is down"];
  if (foreign) {
    reasons.push(`the server does not allow pages of ${page.origin} (its ALLOWED_ORIGINS)`);
    reasons.push("this page's content security policy does not allow the connection (connect-src)");
  }
  if (page?.protocol === "https:" && url.protocol === "http:") {
    reasons.push("a page over https may only use wss");
  }
  return `it cannot be reached; it may be that ${reasons.join(", or that ")}`;
}
