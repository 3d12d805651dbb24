// Sessions whose sound goes over a track.

import { inSession, outcome, Record } from "./record.js";

/** @typedef {typeof import("../../../web/realtime.js")} Realtime */
/** @import {Track, TrackPlayback, TrackState} from "../../../web/realtime.js" */

/** @type {(track: Track, state: TrackState) => Promise<void>} */
const until = (track, state) =>
  new Promise((resolve) => {
    const look = () => track.state === state && resolve();
    track.addEventListener("state", look);
    look();
  });

/**
 * What is told of one context that is held for a while, of another that is cut off, and of the track itself.
 * @param {Realtime} realtime
 * @param {string} url
 */
export function overTrack(realtime, url) {
  return inSession(realtime, url, { audio: "rtc" }, async (session) => {
    const track = new realtime.Track(session);
    /** @type {unknown[]} */
    const states = [];
    /** @type {string[]} */
    const told = [];
    track.addEventListener("state", ({ detail }) => states.push(detail.state));
    session.addEventListener("track", ({ detail }) => told.push(detail.state));
    const ready = await session.ready;
    await until(track, "connected");

    const context = session.open();
    const record = new Record(context);
    /** @type {TrackPlayback[]} */
    const played = [];
    context.addEventListener("playback", ({ detail }) => played.push(detail));
    context.send("One two three. Four.");
    context.end();
    const done = await context.finished;
    await playback(context, "playing");
    context.pause();
    await playback(context, "waiting");
    context.continue();
    context.played(1);
    await playback(context, "ended");
    const reception = await track.stats();

    const other = session.open();
    other.send("One two three four five six seven eight nine.");
    await playback(other, "playing");
    await playback(other, "playing"); // a second later
    const cancelled = await other.cancel();
    track.close();
    return {
      audio: ready.audio,
      hasToken: (ready.rtc_token ?? "") !== "",
      ice: ready.ice_servers,
      states,
      told,
      played: played.map(({ state, played_ms }) => [state, played_ms]),
      audio_ms: done.type === "context.done" ? done.audio_ms : null,
      frames: record.frames.length,
      stream: track.stream,
      lost: reception?.lost,
      packets: reception?.packets,
      spoken: cancelled.text_spoken,
    };
  });
}

/** @type {(context: import("../../../web/realtime.js").Context, state: string) => Promise<void>} */
function playback(context, state) {
  return new Promise((resolve) => {
    const look = (/** @type {{detail: TrackPlayback}} */ { detail }) => {
      if (detail.state !== state) return;
      context.removeEventListener("playback", look);
      resolve();
    };
    context.addEventListener("playback", look);
  });
}

/**
 * A track that cannot be had: the session is led another way, or not at all.
 * @param {Realtime} realtime
 * @param {string} url
 * @param {boolean} asked whether the session is asked to be led over one
 */
export async function noTrack(realtime, url, asked) {
  const session = realtime.connect(url, asked ? { audio: "rtc" } : {});
  const track = new realtime.Track(session);
  /** @type {unknown[]} */
  const told = [];
  track.addEventListener("error", ({ detail }) => told.push(detail.code));
  track.addEventListener("state", ({ detail }) => told.push(detail.reason));
  await until(track, "closed");
  const found = { told, ready: await outcome(session.ready.then(({ audio }) => audio)) };
  await session.close({ drain: false });
  return found;
}
