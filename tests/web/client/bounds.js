// Where something ends: texts that are long, sound that waits, sessions that are closed or cannot be had.

import { failure, inSession, outcome, Record, thrown } from "./record.js";

/** @import {ConnectOptions} from "../../../web/realtime.js" */
/** @typedef {typeof import("../../../web/realtime.js")} Realtime */

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Texts that are long for a message, and too long for a context.
 * @param {Realtime} realtime
 * @param {string} url
 */
export function long(realtime, url) {
  return inSession(realtime, url, { formats: ["pcm_s16le"], max_lead_ms: 1000 }, async (session) => {
    /** @type {number[]} */
    const sizes = [];
    session.addEventListener("sent", ({ detail }) => {
      if (detail.type === "text") sizes.push(detail.bytes);
    });
    const early = session.open();
    early.send("\u{1f600}\u00e9\u4e2d ".repeat(3000)); // before the server has told its limits
    const { limits } = await session.ready;
    const before = sizes.splice(0);
    await session.ping();
    const context = session.open();
    context.send("\u{1f600}\u00e9\u4e2d ".repeat(3000)); // 30 000 bytes
    await session.ping();
    const ok = [early.handle, context.handle];
    const after = sizes.splice(0);
    const record = new Record(context);
    context.send("x".repeat(100_000)); // some of it is late
    await early.cancel(); // or that which failed would wait for its turn to be over
    const finished = await outcome(context.finished);
    const late = thrown(() => context.send("late"));
    return {
      limits,
      before,
      after,
      ok,
      finished,
      late,
      errors: record.errors,
      cancel: await outcome(context.cancel()),
    };
  });
}

/**
 * A cough: nothing comes while it is paused.
 * @param {Realtime} realtime
 * @param {string} url
 */
export function cough(realtime, url) {
  return inSession(realtime, url, {}, async (session) => {
    const context = session.open();
    const record = new Record(context);
    context.pause();
    context.send("One two.");
    context.end();
    await session.ping();
    await pause(100);
    const whilePaused = record.frames.length;
    context.continue();
    const done = await context.finished;
    context.continue(); // does nothing
    await session.ping();
    return { whilePaused, frames: record.frames.length, type: done.type, errors: record.errors };
  });
}

/**
 * A listener who is far behind, until he reports.
 * @param {Realtime} realtime
 * @param {string} url
 */
export function credit(realtime, url) {
  return inSession(realtime, url, { max_lead_ms: 1000 }, async (session) => {
    const context = session.open();
    const record = new Record(context);
    /** @type {Promise<void>} */
    const held = new Promise((resolve) => {
      context.addEventListener("flow", ({ detail }) => detail.state === "paused" && resolve());
    });
    context.send("One two three four five six seven.");
    context.end();
    await held;
    const sent = record.frames.length;
    const wrong = thrown(() => context.played(Number.NaN))?.code;
    for (let ms = 500; session.state === "open" && !record.order.includes("done"); ms += 500) {
      context.played(ms);
      await session.ping();
    }
    const done = await context.finished;
    return { sent, frames: record.frames.length, order: record.order, reason: done.reason, wrong };
  });
}

/**
 * What is said last is said to its end, or dropped.
 * @param {Realtime} realtime
 * @param {string} url
 * @param {boolean} drain
 * @param {boolean} waits for the session first
 */
export function closing(realtime, url, drain, waits) {
  return inSession(realtime, url, {}, async (session, told) => {
    if (waits) await session.ready;
    const context = session.open();
    const record = new Record(context);
    context.send("One two three.");
    const closed = session.close({ drain });
    const late = waits && drain ? session.open() : null;
    late?.send("late");
    await closed;
    return {
      frames: record.frames.length,
      finished: await outcome(context.finished),
      late: late && (await outcome(late.finished)),
      told,
      opening: thrown(() => session.open()),
      sending: thrown(() => context.send("late")),
      calls: await Promise.all([session.ping(), session.update({}), session.cancelAll()].map(outcome)),
      ready: (await outcome(session.ready)).error?.code,
    };
  });
}

/**
 * A session that cannot be had.
 * @param {Realtime} realtime
 * @param {string | undefined} url
 * @param {ConnectOptions} options
 */
export async function refused({ connect }, url, options) {
  const session = connect(url, options);
  const context = session.open();
  const record = new Record(context);
  context.send("Hello");
  /** @type {unknown[]} */
  const told = [];
  session.addEventListener("error", ({ detail }) => told.push(failure(detail)));
  session.addEventListener("state", ({ detail }) => told.push(detail));
  const ready = await outcome(session.ready);
  await session.close();
  return { ready, told, finished: await outcome(context.finished), errors: record.errors };
}

/**
 * Everything that `connect` says of addresses.
 * @param {Realtime} realtime
 * @param {string[]} urls
 */
export async function addresses({ connect }, urls) {
  return urls.map((url) => thrown(() => connect(url).close())?.message ?? null);
}
