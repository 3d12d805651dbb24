// Checked by tsc, never run: a program that uses every declaration, and the module itself against its declarations.

import type { Context as ContextItself } from "../../../web/realtime/context.js";
import { RealtimeError as ErrorItself } from "../../../web/realtime/errors.js";
import type { Session as SessionItself } from "../../../web/realtime/session.js";
import type { Track as TrackItself } from "../../../web/realtime/track.js";
import type * as declared from "../../../web/realtime.js";
import { connect, RealtimeError, Track } from "../../../web/realtime.js";

/** But for listeners, whose events are described by type, while `EventTarget` takes any. */
type Calls<T> = Omit<T, "addEventListener" | "removeEventListener" | "open">;

export function check(
  session: SessionItself,
  context: ContextItself,
  track: TrackItself,
  error: ErrorItself,
) {
  const calls: Calls<declared.Session> = session;
  const open: (settings?: declared.ContextSettings) => Calls<declared.Context> = session.open;
  const contextCalls: Calls<declared.Context> = context;
  const trackCalls: Calls<declared.Track> = track;
  const declaredError: declared.RealtimeError = error;
  const construct: typeof declared.RealtimeError = ErrorItself;
  return [calls, open, contextCalls, trackCalls, declaredError, construct];
}

export async function speak(
  tokens: AsyncIterable<string>,
  play: (payload: Uint8Array) => void,
): Promise<string> {
  const session = connect(new URL("wss://example.org"), {
    apiKey: "key",
    resume: true,
    stallMs: 5000,
    formats: ["opus", "of-tomorrow"],
    timestamps: "word",
    lexicon: { SQL: "sequel" },
  });
  session.addEventListener("state", ({ detail }) => {
    if (detail.state === "lost") console.log(detail.retryInMs?.toFixed(), detail.reason);
  });
  session.addEventListener("resumed", ({ detail }) => console.log(detail.contexts[0]?.text_received));
  session.addEventListener("error", ({ detail }) => console.log(detail.code, detail.retryAfterMs));
  session.addEventListener("closing", ({ detail }) => console.log(detail.reason, detail.drainMs));
  session.addEventListener("sent", ({ detail }) => console.log(detail.type, detail.bytes, detail.at));
  const ready: declared.Ready = await session.ready;
  const context = session.open({ voice: "heart", on_conflict: "preempt", seed: 1 });
  context.addEventListener("frame", ({ detail }) => {
    const milliseconds: number = detail.position / 48;
    context.played(milliseconds);
    if (detail.kind === 1) play(detail.payload);
  });
  context.addEventListener("words", ({ detail }) => {
    for (const { range, start_ms } of detail.words) console.log(context.text.slice(...range), start_ms);
  });
  context.addEventListener("loading", ({ detail }) =>
    console.log(detail.what.trim(), detail.fraction.toFixed()),
  );
  context.addEventListener("segment", ({ detail }) =>
    console.log(detail.index, detail.range, detail.language),
  );
  context.addEventListener("cancelled", ({ detail }) => console.log(detail.text_spoken, detail.spokenEnd));
  for await (const token of tokens) context.send(token);
  await context.flush();
  context.pause();
  context.continue();
  context.end();
  const end = await context.finished;
  if (end.type === "context.done")
    return `${end.audio_ms} of ${ready.frame_ms}, ${end.timing.first_audio_ms}`;
  const { text_remaining } = await context.cancel({ playedMs: 100 });
  const all: declared.Cancelled[] = await session.cancelAll();
  await session.update({ speed: 1.5 });
  await session.close({ drain: false });
  return `${text_remaining} ${all.length} ${await session.ping()} ${session.settings?.limits.contexts}`;
}

export async function hear(audio: HTMLAudioElement): Promise<number> {
  const session = connect(undefined, { audio: "rtc" });
  session.addEventListener("track", ({ detail }) => console.log(detail.state === "connected", detail.at));
  const track = new Track(session);
  track.addEventListener("state", ({ detail }) => console.log(detail.state, detail.reason, detail.retryInMs));
  track.addEventListener("track", ({ detail }) => {
    audio.srcObject = track.stream;
    console.log(detail.kind);
  });
  const context = session.open();
  context.addEventListener("playback", ({ detail }) =>
    console.log(detail.played_ms, detail.state === "ended"),
  );
  const { ice_servers: servers = [] } = await session.ready;
  track.close();
  const reception = await track.stats();
  return servers.length + (reception?.jitterMs ?? 0);
}

export function wrong(session: declared.Session, context: declared.Context) {
  // @ts-expect-error: its detail has no such field
  context.addEventListener("frame", ({ detail }) => detail.words);
  // @ts-expect-error: text is a string
  context.send(1);
  // @ts-expect-error: no such setting
  session.open({ voices: "heart" });
  // @ts-expect-error: not of a session that is there
  session.update({ formats: ["opus"] });
  // @ts-expect-error: not to be set
  context.id = "other";
  // @ts-expect-error: made by `connect`
  new SessionDeclared();
  return new RealtimeError("code", "message").retryAfterMs;
}
declare const SessionDeclared: typeof declared.Session;
