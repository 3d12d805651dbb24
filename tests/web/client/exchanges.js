// Exchanges that must have one outcome, whatever the network does meanwhile.

import { cutOf, failure, outcome, Record } from "./record.js";

/** @import {ConnectOptions, Session} from "../../../web/realtime.js" */
/** @typedef {typeof import("../../../web/realtime.js")} Realtime */

/** Text in tokens, a flush in the middle of a word, and the end. @param {Session} session */
async function speaking(session) {
  const context = session.open({ context_id: "a", seed: 1 });
  const record = new Record(context);
  for (const token of ["One t", "wo. \ud83d", "\ude00 Th"]) context.send(token);
  await context.flush();
  context.send("ree.");
  context.end();
  const done = await context.finished;
  return { ...record.facts, reason: done.reason, last_seq: done.last_seq };
}

/**
 * Everything that can be asked of a session, most of it before the answer to the one before has come.
 * @param {Session} session
 */
async function controlling(session) {
  const first = session.open({ context_id: "x" });
  const second = session.open({ context_id: "y" });
  const records = [new Record(first), new Record(second)];
  const begun = records[0]?.upTo(0);
  first.send("One two. ");
  second.send("Three");
  const flushed = first.flush();
  await begun;
  first.pause();
  const updated = session.update({ frame_ms: 40 });
  const secondFlushed = second.flush();
  const { frame_ms } = await updated;
  first.played(60);
  first.send("And more.");
  first.continue();
  first.end();
  second.end();
  await Promise.all([flushed, secondFlushed]);
  await first.finished;
  const done = await second.finished;
  // Else the clock says whether it is still heard.
  if (done.type === "context.done") second.played(done.audio_ms);
  const third = session.open({ context_id: "x" }); // the same id, and under the new settings
  const thirdRecord = new Record(third);
  const far = thirdRecord.upTo(700);
  third.send("Five six seven eight. ");
  third.send("Nine ten.");
  await far;
  const cut = await third.cancel({ playedMs: 500 });
  const fourth = session.open({ context_id: "y" });
  const fifth = session.open({ context_id: "x" });
  fourth.send("Never heard.");
  fifth.send("Nor this.");
  const allCut = await session.cancelAll({ playedMs: 0 });
  const last = session.open({ context_id: "x" });
  const lastRecord = new Record(last);
  last.send("Last");
  last.end();
  await last.finished;
  return {
    heard: [...records, lastRecord].map((record) => record.facts),
    frame_ms: [frame_ms, first.settings?.frame_ms, third.settings?.frame_ms],
    cut: cutOf(cut),
    allCut: allCut.map(cutOf),
    silenced: [await outcome(fourth.finished), await outcome(fifth.finished)].map(({ value }) => value?.type),
  };
}

/** The server closes when all is said. @param {Session} session */
async function draining(session) {
  const context = session.open({ context_id: "a" });
  const record = new Record(context);
  context.send("To the end");
  await session.close();
  const done = await context.finished;
  return { ...record.facts, audio_ms: done.type === "context.done" && done.audio_ms, state: session.state };
}

const exchanges = { speaking, controlling, draining };

/**
 * One exchange, and how often its session was taken up again. When it does not come to an end, that is told.
 * @param {Realtime} realtime
 * @param {string} url
 * @param {ConnectOptions} options
 * @param {keyof typeof exchanges} name
 */
export async function exchange({ connect }, url, options, name) {
  const session = connect(url, { timestamps: "word", frame_ms: 60, ...options });
  /** @type {unknown[]} */
  const errors = [];
  session.addEventListener("error", ({ detail }) => errors.push(failure(detail)));
  let tooLate;
  try {
    await session.ready;
    const late = new Promise((_, reject) => {
      tooLate = setTimeout(reject, 20_000, new Error("it has no end"));
    });
    return { facts: await Promise.race([exchanges[name](session), late]), resumed: session.resumed, errors };
  } catch (error) {
    return { facts: String(error), resumed: session.resumed, errors };
  } finally {
    clearTimeout(tooLate);
    await session.close({ drain: false });
  }
}
