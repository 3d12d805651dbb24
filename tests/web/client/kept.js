// Sessions that go on while a test does something to their network, or to their server.

import { inSession, outcome, Record, thrown, toldBy } from "./record.js";

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
  const told = toldBy(session);
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
 * Returns when the voice is being loaded, and so far.
 * @param {Realtime} _
 * @param {string} name
 * @param {string} what
 * @param {number} fraction
 */
export async function loads(_, name, what, fraction) {
  const { loading, context } = keptOf(name).record;
  while (!loading.some(([done, far]) => done === what && far === fraction)) {
    await new Promise((resolve) => context.addEventListener("loading", resolve, { once: true }));
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
    loading: record.loading,
    order: record.order,
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
export function endedEarly(realtime, url, lost) {
  return inSession(realtime, url, { timestamps: "none", stallMs: 600 }, async (session) => {
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
    const told = records.map(({ frames, errors }) => ({ frames: frames.length, errors }));
    return { ends, told, late, afterwards, resumed: session.resumed };
  });
}

/**
 * Questions, and text behind them.
 * @param {Realtime} realtime
 * @param {string} url
 */
export function askedAgain(realtime, url) {
  return inSession(realtime, url, {}, async (session) => {
    await session.ready;
    const context = session.open();
    context.send("One ");
    const updated = session.update({ frame_ms: 60 });
    const pinged = session.ping();
    context.send("two.");
    const { frame_ms } = await updated;
    return { frame_ms, ping: (await pinged) > 0, resumed: session.resumed };
  });
}

/**
 * Silences a session that was begun: its context, or all.
 * @param {Realtime} _
 * @param {string} name
 * @param {boolean} all
 */
export async function silence(_, name, all) {
  const { session, record } = keptOf(name);
  const cancelled = await outcome(all ? session.cancelAll() : record.context.cancel());
  const { finished } = record.context;
  return {
    cancelled,
    finished: await outcome(finished),
    order: [...record.order],
    errors: [...record.errors],
  };
}

/**
 * The settings of a context whose opening is told after they have changed.
 * @param {Realtime} realtime
 * @param {string} url
 */
export function openedLate(realtime, url) {
  return inSession(realtime, url, {}, async (session) => {
    await session.ready;
    const context = session.open();
    const opened = new Promise((resolve) => context.addEventListener("opened", resolve));
    const { frame_ms } = await session.update({ frame_ms: 60 });
    await opened;
    return { now: frame_ms, opening: context.settings?.frame_ms, resumed: session.resumed };
  });
}
