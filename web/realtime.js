// A client of realtime.v1, for web pages and for Node 22 or later: text goes in, token by token, speech comes
// out. It needs nothing but itself and the folder `realtime` beside it. realtime.md shows how it is used, and
// realtime.d.ts describes every call.

import { Session } from "./realtime/session.js";

export { Context } from "./realtime/context.js";
export { RealtimeError } from "./realtime/errors.js";
export { Track } from "./realtime/track.js";
export { Session };

/** @type {typeof import("./realtime.js").connect} */
export function connect(url, options = {}) {
  return /** @type {any} */ (new Session(url, options));
}
