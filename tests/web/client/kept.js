// Sessions that go on while a test does something to their network, or to their server.

import { failure, outcome, Record, thrown } from "./record.js";

/** @import {ConnectOptions, Session} from "../../../web/realtime.js" */
/** @typedef {typeof import("../../../web/realtime.js")} Realtime */

/** @type {Map<string, {session: Session, record: Record, told: unknown[]}>} */
const kept = new Map();

/**
 * A session that goes on while the test does something to it.
 * @param {Realtime} realtime
 * @param {string} url
 * @param {ConnectOptions} options
 * @param {string} name
 * @param {string} text
 */
export async function begin({ connect }, url, options, name, text) {
  const session = connect(url, { timestamps: "word", ...options });
  /** @type {unknown[]} */
  const told = [];
  session.addEventListener("state", ({ detail: { state, retryInMs } }) => {
    told.push(retryInMs === undefined ? state : [state, retryInMs]);
  });
  session.addEventListener("resumed", ({ detail }) => {
    told.push(["resumed", ...detail.contexts.map(({ state }) => state)]);
  });
  session.addEventListener("closing", ({ detail }) => told.push(["closing", detail.reason, detail.drainMs]));
  session.addEventListener("error", ({ detail }) => told.push(["error", failure(detail)]));
  const { session_id, resume_token } = await session.ready;
  const context = session.open();
  const record = new Record(context);
  context.send(text);
  await session.ping();
  kept.set(name, { session, record, told });
  return { session_id, resume_token };
}

/**
 * Says more in a session that was begun, and is not ended.
 * @param {Realtime} _
 * @param {string} name
 * @param {string} text
 */
export function more(_, name, text) {
  return keptOf(name).record.context.send(text);
}

/**
 * Returns when a session that was begun has been taken up so often.
 * @param {Realtime} _
 * @param {string} name
 * @param {number} times
 */
export async function takenUp(_, name, times) {
  const { session } = keptOf(name);
  while (session.resumed < times) {
    await new Promise((resolve) => session.addEventListener("resumed", resolve, { once: true }));
  }
}

/**
 * The end of a session that was begun: ended by us (`end`), or by the other side.
 * @param {Realtime} _
 * @param {string} name
 * @param {boolean} end
 */
export async function finish(_, name, end) {
  const { session, record, told } = keptOf(name);
  if (end) record.context.end();
  const finished = await outcome(record.context.finished);
  const { resumed, state } = session;
  const then = structuredClone(told);
  if (end) await session.close({ drain: false });
  kept.delete(name);
  const { frames, words } = record.facts;
  return {
    finished,
    told: then,
    resumed,
    state,
    replayed: record.replayed,
    frames,
    words,
    errors: record.errors,
  };
}

/** @param {string} name */
function keptOf(name) {
  const one = kept.get(name);
  if (one === undefined) throw new Error(`no session ${name} was begun`);
  return one;
}

/**
 * A context that the server ends because it is silent while another waits, and that goes on nevertheless; `lost`:
 * meanwhile nothing comes.
 * @param {Realtime} realtime
 * @param {string} url
 * @param {boolean} lost
 */
export async function endedEarly({ connect }, url, lost) {
  const session = connect(url, { stallMs: 600 });
  const first = session.open({ context_id: "first" });
  const records = [new Record(first)];
  first.send("One. ");
  await first.flush();
  await session.ping();
  const second = session.open();
  records.push(new Record(second));
  second.send("Two.");
  second.end();
  if (lost) await new Promise((resolve) => setTimeout(resolve, 500));
  else await first.finished;
  const late = thrown(() => first.send("Late. "));
  const ends = [await outcome(first.finished), await outcome(second.finished)];
  const afterwards = thrown(() => first.send("Later."));
  await session.ping();
  const told = records.map(({ frames, order, errors }) => ({ frames: frames.length, order, errors }));
  const result = structuredClone({ ends, told, late, afterwards, resumed: session.resumed });
  await session.close({ drain: false });
  return result;
}

/**
 * Questions, and text behind them.
 * @param {Realtime} realtime
 * @param {string} url
 */
export async function askedAgain({ connect }, url) {
  const session = connect(url);
  await session.ready;
  const context = session.open();
  context.send("One ");
  const updated = session.update({ frame_ms: 60 });
  const pinged = session.ping();
  context.send("two.");
  const { frame_ms } = await updated;
  const result = { frame_ms, ping: (await pinged) > 0, resumed: session.resumed };
  await session.close({ drain: false });
  return result;
}
