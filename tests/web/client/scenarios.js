// What the tests of realtime.js have it do inside a page: each takes the module and a server, and returns what can be
// compared.

import { cutOf, inSession, outcome, Record, thrown } from "./record.js";

/** @typedef {typeof import("../../../web/realtime.js")} Realtime */

export { addresses, closing, cough, credit, long, refused } from "./bounds.js";
export { exchange } from "./exchanges.js";
export { askedAgain, begin, endedEarly, finish, loads, more, openedLate, silence, takenUp } from "./kept.js";
export { noTrack, overTrack } from "./track.js";

/**
 * A text in tokens of so many UTF-16 units, and what comes of it.
 * @param {Realtime} realtime
 * @param {string} url
 * @param {string} text
 * @param {number} units
 */
export function tokens(realtime, url, text, units) {
  return inSession(realtime, url, {}, async (session) => {
    const context = session.open({ seed: 1 });
    const record = new Record(context);
    for (let at = 0; at < text.length; at += units) context.send(text.slice(at, at + units));
    context.end();
    const done = await context.finished;
    return { ...record.facts, done, order: record.order };
  });
}

/**
 * As above, but lone halves of characters, and what is no text at all.
 * @param {Realtime} realtime
 * @param {string} url
 */
export function noText(realtime, url) {
  return inSession(realtime, url, {}, async (session) => {
    const context = session.open();
    context.send("a\udc00b \ud800");
    const held = context.text;
    context.send("c");
    context.send("d \ud83d");
    context.end();
    const { text } = context;
    // @ts-expect-error: no text
    const wrong = thrown(() => context.send(1));
    const done = await context.finished;
    return { held, text, wrong, type: done.type };
  });
}

/**
 * What a context says in the course of its life, and what it takes after it.
 * @param {Realtime} realtime
 * @param {string} url
 */
export function life(realtime, url) {
  return inSession(realtime, url, {}, async (session, told) => {
    const ready = await session.ready;
    const context = session.open();
    const record = new Record(context);
    const before = [context.handle, context.settings];
    context.send("One");
    await context.flush();
    const flushedAt = record.frames.length;
    await context.flush();
    context.send(" two.");
    context.end();
    context.end();
    const done = await context.finished;
    return {
      engine: ready.engine,
      same: ready === session.settings && context.settings === ready,
      before,
      handle: context.handle,
      flushedAt,
      frames: record.frames.length,
      last: record.frames.at(-1),
      order: record.order,
      done,
      late: thrown(() => context.send("late")),
      lateFlush: await outcome(context.flush()),
      ping: await session.ping(),
      told,
      state: session.state,
    };
  });
}

/**
 * A barge-in after some frames, and everything that comes behind it.
 * @param {Realtime} realtime
 * @param {string} url
 */
export function bargeIn(realtime, url) {
  return inSession(realtime, url, {}, async (session) => {
    const context = session.open();
    const record = new Record(context);
    await outcome(context.flush());
    let received = 0;
    session.addEventListener("received", ({ detail }) => {
      if (detail.type === "frame") received++;
    });
    const heard = record.upTo(720);
    context.send("\u{1f600} One two three, \u{1f600} four five six. Seven eight nine.");
    const never = outcome(context.flush());
    context.send("Never said");
    await heard;
    const framesThen = record.frames.length;
    const cancelling = context.cancel({ playedMs: 700 });
    const second = context.cancel({ playedMs: 9 });
    context.send("late tokens");
    context.end();
    context.played(1);
    context.pause();
    const cancelled = await cancelling;
    await session.ping();
    return {
      text: context.text,
      cut: cutOf(cancelled),
      spoken: context.text.slice(...cancelled.range),
      remaining: context.text.slice(cancelled.spokenEnd),
      same: [(await second) === cancelled, (await context.finished) === cancelled],
      framesThen,
      received,
      frames: record.frames.length,
      order: record.order,
      errors: record.errors,
      never: await never,
      lateFlush: await outcome(context.flush()),
    };
  });
}

/**
 * A cancel after the end, as long as it may still be heard; and of one that is not known any more.
 * @param {Realtime} realtime
 * @param {string} url
 */
export function cancelAfterDone(realtime, url) {
  return inSession(realtime, url, {}, async (session) => {
    const context = session.open();
    const record = new Record(context);
    context.send("One two.");
    context.end();
    const done = await context.finished;
    const cancelled = await context.cancel({ playedMs: 200 });
    return { cut: cutOf(cancelled), finished: (await context.finished) === done, order: record.order };
  });
}

/**
 * Three contexts, and all of them silenced: the first is done by then.
 * @param {Realtime} realtime
 * @param {string} url
 */
export function cancelAll(realtime, url) {
  return inSession(realtime, url, {}, async (session) => {
    const contexts = [session.open(), session.open(), session.open()];
    const records = contexts.map((context) => new Record(context));
    for (const context of contexts) context.send("One two three.");
    const second = records[1]?.upTo(60);
    contexts[0]?.end();
    contexts[1]?.flush();
    await contexts[0]?.finished;
    await second;
    const framesThen = records.map(({ frames }) => frames.length);
    const all = await session.cancelAll({ playedMs: 200 });
    await session.ping();
    return {
      all: all.map(cutOf),
      framesThen,
      frames: records.map(({ frames }) => frames.length),
      finished: await Promise.all(contexts.map(async ({ finished }) => (await finished).type)),
      again: (await session.cancelAll()).length,
    };
  });
}

/**
 * One context in the place of others: it is opened, or refused.
 * @param {Realtime} realtime
 * @param {string} url
 * @param {string} voice
 */
export function preempt(realtime, url, voice) {
  return inSession(realtime, url, {}, async (session) => {
    const first = session.open();
    const record = new Record(first);
    first.send("One two three. Four five six.");
    await record.upTo(60);
    const framesThen = record.frames.length;
    const second = session.open({ on_conflict: "preempt", voice });
    const secondRecord = new Record(second);
    second.send("Hello.");
    second.end();
    const [end, other] = [await first.finished, await outcome(second.finished)];
    const late = thrown(() => second.send("late"));
    await session.ping();
    return {
      reason: end.reason,
      framesThen,
      frames: record.frames.length,
      others: secondRecord.frames.length,
      other,
      late,
    };
  });
}

/**
 * Settings that cannot be: told by the client, or by the server.
 * @param {Realtime} realtime
 * @param {string} url
 */
export function refusals(realtime, url) {
  return inSession(realtime, url, {}, async (session, told) => {
    await session.ready;
    const wrong = [
      { speed: 5 },
      { voice: 7 },
      { context_id: "*" },
      { context_id: "" },
      { seed: -1 },
      { buffer: "never" },
    ].map((settings) => thrown(() => session.open(/** @type {any} */ (settings)))?.code);
    const context = session.open({ voice: "nobody" });
    const record = new Record(context);
    context.send("Never said.");
    context.end();
    const refused = await outcome(context.finished);
    const cancel = await outcome(context.cancel());
    const updated = await outcome(session.update({ voice: "nobody" }));
    const { frame_ms } = await session.update({ frame_ms: 60 });
    const fast = session.open();
    fast.send("One.");
    fast.end();
    await fast.finished;
    const framesOfNobody = record.frames.length;
    return {
      wrong,
      id: context.id,
      refused,
      cancel,
      updated,
      frame_ms: [frame_ms, session.settings?.frame_ms, fast.settings?.frame_ms],
      framesOfNobody,
      order: record.order,
      told,
    };
  });
}
