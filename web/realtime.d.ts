// Declarations of realtime.js. Fields in snake_case are those of the protocol (protocol.md, realtime.v1), and mean
// what they mean there; what is in camelCase the client has added. Times named `at` are `performance.now()` when
// something came or went.

/** `[start, end)` in characters (Unicode code points) of the text that was sent for a context. */
export type Source = [start: number, end: number];
/** `[start, end)` in UTF-16 units of `context.text`: `context.text.slice(...range)` is what is meant. */
export type Range = [start: number, end: number];

export type Format = "opus" | "pcm_s16le" | "mulaw" | "webm_opus" | "ogg_opus";

/** Settings that every context may have of its own. */
export interface VoiceSettings {
  /** Name or alias of a voice; without one the server chooses by the language. */
  voice?: string | undefined;
  /** `"auto"` (found out by the text) or a BCP 47 tag. */
  language?: string | undefined;
  /** Tempo, 0.25 to 4; the pitch stays. */
  speed?: number | undefined;
  /** Whether numbers, dates and the like are written out before they are spoken. */
  normalize?: boolean | undefined;
  /** Whether the text holds tags of SSML. */
  markup?: boolean | undefined;
  /** Whether sound that was made before may be used. */
  cache?: boolean | undefined;
  /** How to speak, in at most 2000 characters; for servers whose `features` name `instruct`. */
  instruct?: string | undefined;
}

/** What `Session.update` may change, for contexts that are opened later. */
export interface SessionSettings extends VoiceSettings {
  /** Rate of `pcm_s16le`, in Hz. */
  sample_rate?: 8000 | 16000 | 24000 | 48000 | undefined;
  /** Of Opus, in bit/s: 6000 to 256000. */
  bitrate?: number | undefined;
  /** Sound in one frame, in ms. */
  frame_ms?: 20 | 40 | 60 | undefined;
  /** Whether `words` are told. */
  timestamps?: "none" | "word" | undefined;
  /** How much sound may be sent ahead of what was played, in ms; 0: no limit. Counts at once. */
  max_lead_ms?: number | undefined;
  /** What to say for a written word. */
  lexicon?: Record<string, string> | undefined;
}

export interface ConnectOptions extends SessionSettings {
  /** Best first; the first that the server knows is taken. `["opus"]` when left out. */
  formats?: (Format | (string & {}))[] | undefined;
  /**
   * What sound goes over: `"frames"` of the socket, which is usual, or `"rtc"`, a `Track`; for servers whose `features`
   * name `rtc`.
   */
  audio?: "frames" | "rtc" | undefined;
  /** For a server that asks for one. */
  apiKey?: string | undefined;
  /** Whether a connection that is lost is replaced, and the session goes on; true when left out. */
  resume?: boolean | undefined;
  /** After so many ms without a sound of the server it is asked whether it is there; 10000 when left out. */
  stallMs?: number | undefined;
}

export interface ContextSettings extends VoiceSettings {
  /** 1 to 64 characters; an id of its own when left out, which is best. */
  context_id?: string | undefined;
  /** The same text with the same seed, voice and speed gives the same sound; 0 to 2^53 - 1. */
  seed?: number | undefined;
  /** `"auto"`: as soon as possible; `"sentence"`: whole sentences; `"manual"`: on `flush` and `end` alone. */
  buffer?: "auto" | "sentence" | "manual" | undefined;
  /** `"queue"`: speak after the others. `"preempt"`: cancel all others first, those too that are still heard. */
  on_conflict?: "queue" | "preempt" | undefined;
}

/** `session.ready`: the settings in force. */
export interface Ready {
  type: "session.ready";
  session_id: string;
  resume_token: string;
  protocol: string;
  engine: string;
  features: string[];
  format: Format;
  /** Of the sound, in Hz. */
  sample_rate: number;
  /** Sound in one frame, in ms. */
  frame_ms: number;
  /** Samples at 48 kHz to drop from the beginning of what each context's decoder gives. */
  pre_skip: number;
  voice: string;
  language: string;
  limits: Limits;
  max_lead_ms: number;
  /** What sound goes over; servers without WebRTC may not say. */
  audio?: "frames" | "rtc";
  /** Ties a peer connection to the session, whose sound goes over a track. */
  rtc_token?: string;
  /** STUN and TURN servers that the peer connection may need, as `RTCPeerConnection` takes them. */
  ice_servers?: { urls: string[]; username?: string; credential?: string }[];
  resumed?: true;
  contexts?: ContextReport[];
}

export interface Limits {
  message_bytes: number;
  text_bytes_per_message: number;
  text_bytes_per_context: number;
  contexts: number;
  idle_s: number;
  resume_window_s: number;
}

/** What the server says of a context when a session is taken up again. */
export interface ContextReport {
  context_id: string;
  handle: number;
  state: "open" | "ending" | "done" | "failed" | "cancelled";
  /** Characters of its text that have come to the server. */
  text_received: number;
  /** Of the last frame that was sent. */
  last_seq: number | null;
}

interface OfContext {
  context_id: string;
  handle: number;
  at: number;
}

/** `context.opened`. */
export interface Opened extends OfContext {
  type: "context.opened";
  voice: string;
  language: string;
}

/** `loading`: the first sound waits until the voice is loaded, which is under way. */
export interface Loading extends OfContext {
  type: "loading";
  /** What is being done, for people; empty when nothing is known of it. */
  what: string;
  /** How much of that is done, 0 to 1; more than one thing may be done in turn. */
  fraction: number;
}

/** `segment`: a sentence, or a part of a long one, is about to sound. */
export interface Segment extends OfContext {
  type: "segment";
  index: number;
  /** As it is given to the voice. */
  text: string;
  source: Source;
  range: Range;
  start_ms: number;
  language: string;
  final: boolean;
}

export interface Word {
  /** The characters of the text that was sent. */
  text: string;
  source: Source;
  range: Range;
  start_ms: number;
  end_ms: number;
}

/** `words`: when words sound; with `timestamps: "word"`. */
export interface Words extends OfContext {
  type: "words";
  segment: number;
  /** Whether any of the times is an estimate. */
  estimated: boolean;
  words: Word[];
}

/** `flush.done`. */
export interface Flushed extends OfContext {
  type: "flush.done";
  flush_id: string;
}

/** `flow`: no more is sent until the listener has heard more, or it goes on. */
export interface Flow extends OfContext {
  type: "flow";
  state: "paused" | "resumed";
}

/** `playback`: so much of it has left over the track; with `audio: "rtc"`. */
export interface TrackPlayback extends OfContext {
  type: "playback";
  played_ms: number;
  /** Whether it moves on from there, stands still, or is over. */
  state: "playing" | "waiting" | "ended";
}

/** Milliseconds of wall clock, from the first text on. */
export interface Timing {
  first_audio_ms: number;
  queue_ms: number;
  infer_ms: number;
  encode_ms: number;
  total_ms: number;
  load_ms: number;
}

/** `context.done`: all was sent. */
export interface Done extends OfContext {
  type: "context.done";
  reason: "completed" | "failed";
  /** Length of the sound. */
  audio_ms: number;
  last_seq: number | null;
  timing: Timing;
  cache: "hit" | "partial" | "miss" | "off";
}

/** `context.cancelled`: what was heard and what was not. */
export interface Cancelled extends OfContext {
  type: "context.cancelled";
  reason: "cancelled" | "preempted";
  /** Position of the cut. */
  played_ms: number;
  text_spoken: string;
  text_remaining: string;
  /** Characters of `text_spoken`. */
  source_offset: number;
  last_seq: number | null;
  /** What was spoken; it begins at 0. */
  range: Range;
  /** Where `text_remaining` begins, in UTF-16 units. */
  spokenEnd: number;
}

/** A piece of sound. Positions and durations are samples at 48 kHz, whatever the format. */
export interface Frame {
  /** The id of its context. */
  context: string;
  handle: number;
  /** From 0, one more with each frame of a context. */
  seq: number;
  /** Of its first sample. */
  position: number;
  /** 0 for one that only closes the context. */
  duration: number;
  /** Reset the decoder. */
  first: boolean;
  /** The context has no more. */
  last: boolean;
  /** It holds the first sample of a segment. */
  segmentStart: boolean;
  /** It was sent again after a lost connection, and had not come before. */
  replayed: boolean;
  /** 1: an Opus packet, 2: PCM s16le, 3: bytes of a WebM or Ogg file, 4: mu-law. */
  kind: number;
  payload: Uint8Array<ArrayBuffer>;
  at: number;
}

export type SessionState = "connecting" | "open" | "lost" | "closed";

export interface StateChange {
  state: SessionState;
  /** `"lost"`: the next try to take up the session comes in so many ms. */
  retryInMs?: number;
  /** `"lost"`, `"closed"`: why. */
  reason?: string;
}

/** A message that went or came. */
export interface Traffic {
  /** `type` of the message, or `"frame"`. */
  type: string;
  /** Payload of the WebSocket frame, in bytes. */
  bytes: number;
  at: number;
}

/**
 * What went wrong. `code` is one of the protocol's error codes, or of the client's own:
 * `"connection_failed"` (no session can be had there), `"connection_lost"` (and the session with it),
 * `"session_closed"` (it is over), `"taken_over"` (another connection has taken it up).
 */
export class RealtimeError extends Error {
  constructor(
    code: string,
    message: string,
    more?: {
      retryAfterMs?: number | null | undefined;
      contextId?: string | null | undefined;
      closeCode?: number | null | undefined;
    },
  );
  readonly code: string;
  /** When another try may succeed, in ms; null when waiting does not help. */
  readonly retryAfterMs: number | null;
  readonly contextId: string | null;
  /** Of the WebSocket, where it tells something. */
  readonly closeCode: number | null;
}

type Listener<Events, Type extends keyof Events> = (event: Events[Type]) => void;

export interface SessionEvents {
  /** The state has changed, or another try to take up the session is due. */
  state: CustomEvent<StateChange>;
  /** The session goes on, on another connection. */
  resumed: CustomEvent<{ contexts: ContextReport[] }>;
  /** Something is wrong with the session; it is over if its `state` is `"closed"`. */
  error: CustomEvent<RealtimeError>;
  /** Whether the server has a peer connection to send its sound over; with `audio: "rtc"`. */
  track: CustomEvent<{ state: "connected" | "disconnected"; at: number }>;
  /** The server will close the session: nothing was said for long (`"idle"`), or it is going away. */
  closing: CustomEvent<{ reason: string; drainMs: number }>;
  sent: CustomEvent<Traffic>;
  received: CustomEvent<Traffic>;
}

export interface ContextEvents {
  opened: CustomEvent<Opened>;
  loading: CustomEvent<Loading>;
  segment: CustomEvent<Segment>;
  words: CustomEvent<Words>;
  frame: CustomEvent<Frame>;
  flushed: CustomEvent<Flushed>;
  flow: CustomEvent<Flow>;
  /** When it begins to leave over the track, stands still, goes on and ends; and once a second. */
  playback: CustomEvent<TrackPlayback>;
  done: CustomEvent<Done>;
  cancelled: CustomEvent<Cancelled>;
  error: CustomEvent<RealtimeError>;
}

/**
 * A session with the server; made by `connect`. When its connection is lost it is taken up again by itself:
 * nothing is lost and nothing comes twice, it only takes time.
 */
export class Session extends EventTarget {
  private constructor();
  /** The first `session.ready`; fails when no session can be had. */
  readonly ready: Promise<Ready>;
  readonly state: SessionState;
  /** The settings in force, as the server told them last; null before `ready`. */
  readonly settings: Ready | null;
  /** How often the session was taken up again after its connection was lost. */
  readonly resumed: number;
  /**
   * A new context. Contexts are spoken in the order in which they are opened. May be called before `ready`.
   * @throws {RealtimeError} when the session is over, and for a setting that the protocol does not allow
   */
  open(settings?: ContextSettings): Context;
  /** Changes settings for contexts that are opened later; fails, and changes nothing, when one is refused. */
  update(settings: SessionSettings): Promise<Ready>;
  /**
   * Barge-in: silences everything. From the call on no context that is there tells of any sound.
   * @param options.playedMs what was heard of the context that is sounding
   * @returns one answer for each context still to be spoken or heard, in order
   */
  cancelAll(options?: { playedMs?: number | undefined }): Promise<Cancelled[]>;
  /** Milliseconds to the server and back. */
  ping(): Promise<number>;
  /**
   * Has the server speak what it has (`drain`, the default) or drop it, and close.
   * @returns when it has closed; never fails
   */
  close(options?: { drain?: boolean | undefined }): Promise<void>;
  addEventListener<Type extends keyof SessionEvents>(
    type: Type,
    listener: Listener<SessionEvents, Type>,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Type extends keyof SessionEvents>(
    type: Type,
    listener: Listener<SessionEvents, Type>,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

/** One text: it goes in, and sound comes out. Made by `Session.open`. */
export class Context extends EventTarget {
  private constructor();
  readonly id: string;
  /** The server's number for it; null before `opened`. */
  readonly handle: number | null;
  /** The session's settings when it was opened; null before `opened`. */
  readonly settings: Ready | null;
  /** All text sent so far. Half of a surrogate pair counts when the other half has come. */
  readonly text: string;
  /**
   * Appends text, in tokens of any size: they may be cut anywhere. After a cancel nothing is sent and nothing
   * thrown: an LLM may write on for a while.
   * @throws {RealtimeError} when it takes no more text: it was ended, has failed, or the session is over
   */
  send(text: string): void;
  /**
   * Has everything so far spoken now, though it be half a word.
   * @returns when all of its sound has come; fails when it never will
   */
  flush(): Promise<void>;
  /** No more text: it finishes when all is spoken. Never throws; twice does no harm. */
  end(): void;
  /**
   * Barge-in: stop now. From the call on it tells of no sound.
   * @param options.playedMs how much of it was heard, in ms of its own time; without it the server goes by
   *   `played`, or by the clock
   * @returns what was heard; a second call has the answer of the first
   */
  cancel(options?: { playedMs?: number | undefined }): Promise<Cancelled>;
  /**
   * Reports how much of it was heard: in doubt less. Report at least every 2 s while it sounds, or never.
   * Where sound goes over a track it does nothing: the server knows.
   * @param ms of its own time, 0 or more
   */
  played(ms: number): void;
  /** Has the server hold its sound: for a cough, not for a barge-in. */
  pause(): void;
  /** Goes on from where it was paused. */
  continue(): void;
  /**
   * How it ended. Fails when it was refused or has failed, or the session is over; who does not look at it is
   * not bothered.
   */
  readonly finished: Promise<Done | Cancelled>;
  addEventListener<Type extends keyof ContextEvents>(
    type: Type,
    listener: Listener<ContextEvents, Type>,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Type extends keyof ContextEvents>(
    type: Type,
    listener: Listener<ContextEvents, Type>,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

export type TrackState = "connecting" | "connected" | "lost" | "closed";

/** What the browser has counted of a track; NaN where it does not say. */
export interface Reception {
  /** `performance.now()` then. */
  at: number;
  packets: number;
  bytes: number;
  /** Packets that never came. */
  lost: number;
  /** By how much packets come unevenly. */
  jitterMs: number;
  /** There and back, by the last check of the way. */
  roundTripMs: number;
  /** Time that all samples have waited in the jitter buffer, added up, in seconds; and how many those were. */
  bufferedS: number;
  bufferedSamples: number;
  /** Samples that were played, and those of them that were made up for what was missing. */
  samples: number;
  concealedSamples: number;
}

export interface TrackEvents {
  state: CustomEvent<{ state: TrackState; reason?: string; retryInMs?: number }>;
  /** A peer connection could not be had; it is tried again unless `state` is `"closed"`. */
  error: CustomEvent<RealtimeError>;
  /** The track of a new peer connection; it is in `stream` by then, which has to be played. */
  track: CustomEvent<MediaStreamTrack>;
}

/**
 * The sound of a session with `audio: "rtc"`: at each event `track`, `audio.srcObject = track.stream`. A peer connection that is lost is
 * replaced, and the sound goes on where it was; it ends with the session.
 */
export class Track extends EventTarget {
  /** @throws {RealtimeError} where there is no WebRTC */
  constructor(session: Session);
  readonly state: TrackState;
  /** That of the latest connection; null before the first, and at the end. */
  readonly stream: MediaStream | null;
  /** What has come on the present connection; null while there is none. */
  stats(): Promise<Reception | null>;
  /** Ends the connection; the session goes on, and its sound waits for another one. */
  close(): void;
  addEventListener<Type extends keyof TrackEvents>(
    type: Type,
    listener: Listener<TrackEvents, Type>,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Type extends keyof TrackEvents>(
    type: Type,
    listener: Listener<TrackEvents, Type>,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

/**
 * A session with a server.
 * @param url ws, wss, http or https, with or without the path; of the server that this module came from when left
 *   out
 * @param options fields of `session.start`, and the client's own
 * @returns at once: wait for `ready`, or open contexts right away
 * @throws {RealtimeError} when the URL is none
 */
export function connect(url?: string | URL, options?: ConnectOptions): Session;
