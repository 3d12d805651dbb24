// What happened to one utterance: when its text left, when its sound came, and when it was heard.

import { addedUp } from "./carried.js";
import { Hand } from "./hand.js";
import { PacketShelf } from "./packets.js";
import { Points } from "./points.js";
import { beginsAt, countIn, take } from "./segments.js";
import { Sounding } from "./sounding.js";
import { Stretches } from "./stretches.js";

/**
 * @typedef {object} Settings
 * @property {string} [voice]
 * @property {string} [language]
 * @property {number} [speed]
 * @property {string} [player] which player plays it
 * @property {"text" | "llm"} [mode] whether its text was there at once, or came token by token
 * @property {boolean} [track] whether its sound comes over a track: then no frames are seen
 * @property {number} [preSkip] samples at 48 kHz to drop at the beginning; `pre_skip` of `session.ready`
 */

/**
 * @typedef {object} Frame what is read here of a frame of sound
 * @property {number} position of its first sample, at 48 kHz
 * @property {number} duration in samples at 48 kHz
 * @property {number} kind 1: an Opus packet
 * @property {Uint8Array} payload
 * @property {boolean} [last]
 */

/** @typedef {{range: [number, number], startMs: number, endMs: number, at: number}} Word */
/** @typedef {import("../player/track.js").Carried} Carried */
/** @typedef {import("./segments.js").Segment} Segment */
/** @typedef {{first_audio_ms?: number, queue_ms?: number, infer_ms?: number, encode_ms?: number}} Timing */

const FRAME_HEADER_BYTES = 24;
const OPUS = 1;
const SAMPLES_PER_MS = 48;

const shelf = new PacketShelf();
const utf8 = new TextEncoder();

/** The log of one utterance. All times are milliseconds of `performance.now()`, all positions milliseconds of its sound. */
export class UtteranceLog {
  /**
   * @param {string} id
   * @param {Settings} settings with which it is spoken
   */
  constructor(id, settings = {}) {
    this.id = id;
    this.settings = settings;
    /** The text so far. The page keeps it up to date. */
    this.text = "";
    /** Grows with every change, so that who shows the log knows when to look again. */
    this.version = 0;
    /** The first and the latest time of anything in the log; NaN before that. */
    this.firstAt = Number.NaN;
    this.latestAt = Number.NaN;

    /** Text: `at` a token left, `end` how far the text was sent with it (UTF-16 units), `count` of tokens. */
    this.tokens = new Points({ at: "first", until: "last", end: "last", count: "sum" });
    this.tokenCount = 0;
    this.firstTokenAt = Number.NaN;
    this.lastTokenAt = Number.NaN;
    this.textEndedAt = Number.NaN;
    this.textBytes = 0;

    /** @type {Segment[]} in order */
    this.segments = [];
    /** @type {Word[]} in order */
    this.wordList = [];

    /** Sound as it came: `at`..`until`, `end` how far it reaches (ms), `bytes` with headers, `count` of frames. */
    this.frames = new Points({ at: "first", until: "last", end: "last", bytes: "sum", count: "sum" });
    this.frameCount = 0;
    this.firstFrameAt = Number.NaN;
    this.lastFrameAt = Number.NaN;
    this.audioBytes = 0;
    /** Sound that has come, ms. */
    this.receivedMs = 0;
    /** Whether all of its sound has come. */
    this.complete = false;
    /** The Opus packets, for downloads. */
    this.packets = shelf.open();
    /** Whether all sound came as Opus packets. */
    this.opusOnly = true;

    /** When what was heard. */
    this.sounding = new Sounding();
    this.playingAt = Number.NaN;
    this.playedAt = Number.NaN;
    /** What of its sound had come and was not yet heard. */
    this.hand = new Hand();
    /** When the player had nothing left although more was to come. */
    this.underruns = new Stretches();
    /** When it had nothing left as the text itself was not there yet. */
    this.textWaits = new Stretches();

    /** When a person asked for it; NaN where that was not told. */
    this.askedAt = Number.NaN;
    /** When the first sound of it came out that one can hear; NaN where nobody listened for it. */
    this.audibleAt = Number.NaN;
    /** What was counted of a track while it sounded, added up; null where there is none. @type {Carried | null} */
    this.carried = null;

    /** When there was no connection. */
    this.outages = new Stretches();
    /** When the server waited because the listener had enough in hand. */
    this.waits = new Stretches();

    /** @type {{at: number, reason: string, audioMs: number, timing: Timing, cache: string} | null} */
    this.doneWith = null;
    this.cancelAskedAt = Number.NaN;
    this.silentAt = Number.NaN;
    /** @type {{at: number, reason: string, playedMs: number, spokenEnd: number} | null} */
    this.cancelledWith = null;
    /** @type {{at: number, message: string} | null} */
    this.failedWith = null;
    /** @private the first segment that later frames may belong to */
    this.segmentNow = 0;
  }

  /** Whether nothing more will happen to it. */
  get over() {
    return (
      this.cancelledWith !== null ||
      !Number.isNaN(this.playedAt) ||
      // Over a track messages come ahead of the sound.
      ((this.doneWith !== null || this.failedWith !== null) && this.receivedMs === 0 && !this.isAwaited) ||
      // It was stopped, and nobody is there to answer.
      (this.failedWith !== null && !Number.isNaN(this.silentAt))
    );
  }

  /** Whether sound of it is still to come over a track. */
  get isAwaited() {
    return this.settings.track === true && (this.doneWith?.audioMs ?? 0) > 0;
  }

  /** Whether it was interrupted. */
  get interrupted() {
    return this.cancelledWith !== null || !Number.isNaN(this.cancelAskedAt);
  }

  /** Whether the player has nothing left, and more is to come. */
  get isDry() {
    return !Number.isNaN(this.underruns.since) || !Number.isNaN(this.textWaits.since);
  }

  /** How long its sound is as far as that is known, ms. */
  get audioMs() {
    return Math.max(this.receivedMs, this.doneWith?.audioMs ?? 0);
  }

  /** How far it was heard, ms: by the player's reports, and where it was interrupted by the server's answer. */
  get heardMs() {
    if (this.cancelledWith !== null) {
      return this.cancelledWith.playedMs;
    }
    if (!Number.isNaN(this.playedAt)) {
      return this.receivedMs;
    }
    // Of a track is told only now and then how much has come.
    const come = this.settings.track === true ? Number.POSITIVE_INFINITY : this.receivedMs;
    return Math.min(this.sounding.playedMs, come);
  }

  /**
   * Text left for the server.
   *
   * @param {number} at ms
   * @param {number} start where in the text it begins, in UTF-16 units
   * @param {number} end where it ends
   */
  tokenSent(at, start, end) {
    this.tokens.push({ at, until: at, end, count: 1 });
    this.tokenCount += 1;
    this.textBytes += utf8.encode(this.text.slice(start, end)).length;
    this.firstTokenAt = earliest(this.firstTokenAt, at);
    this.lastTokenAt = at;
    this.touch(at);
  }

  /** @param {number} at ms: no more text will come */
  textEnded(at) {
    this.textEndedAt = at;
    this.touch(at);
  }

  /**
   * @param {{index: number, text: string, start_ms: number, range?: [number, number], language?: string,
   *   final?: boolean}} detail of the client's "segment"
   * @param {number} at ms
   */
  segment(detail, at) {
    take(this.segments, detail, at);
    this.touch(at);
  }

  /**
   * @param {{words: {range: [number, number], start_ms: number, end_ms: number}[]}} detail of the client's "words"
   * @param {number} at ms
   */
  words(detail, at) {
    for (const word of detail.words) {
      this.wordList.push({ range: word.range, startMs: word.start_ms, endMs: word.end_ms, at });
    }
    this.touch(at);
  }

  /**
   * @param {Frame} frame
   * @param {number} at ms: when it came
   */
  frame(frame, at) {
    const end = (frame.position + frame.duration) / SAMPLES_PER_MS;
    const bytes = frame.payload.byteLength + FRAME_HEADER_BYTES;
    this.frames.push({ at, until: at, end, bytes, count: 1 });
    this.frameCount += 1;
    this.audioBytes += bytes;
    this.complete ||= frame.last ?? false;
    if (frame.duration > 0) {
      this.firstFrameAt = earliest(this.firstFrameAt, at);
      this.lastFrameAt = at;
      this.segmentNow = countIn(this.segments, this.segmentNow, frame.position / SAMPLES_PER_MS, end, at);
      this.hand.arrived(at, frame.duration / SAMPLES_PER_MS);
      this.receivedMs = end;
    }
    if (frame.kind !== OPUS) {
      this.opusOnly = false;
    } else if (frame.payload.byteLength > 0) {
      this.packets.add(frame.payload, frame.position, frame.duration);
      shelf.added(frame.payload.byteLength);
    }
    this.touch(at);
  }

  /**
   * So much of its sound has left the server, over a track.
   *
   * @param {number} ms of its sound
   * @param {number} at ms: when that was told
   * @param {boolean} ended whether that is all
   */
  left(ms, at, ended) {
    if (ms > this.receivedMs) {
      this.firstFrameAt = earliest(this.firstFrameAt, at);
      this.lastFrameAt = at;
      this.segmentNow = countIn(this.segments, this.segmentNow, this.receivedMs, ms, at);
      this.receivedMs = ms;
    }
    this.complete ||= ended;
    this.touch(at);
  }

  /**
   * @param {Carried} more what was counted of its track since the last time
   * @param {number} at ms
   */
  carriedOver(more, at) {
    const { packets, bytes } = more;
    if (packets > 0) this.frames.push({ at, until: at, end: this.receivedMs, bytes, count: packets });
    this.carried = addedUp(this.carried, more);
    this.touch(at);
  }

  /** @param {number} at ms: its first sound that one can hear came out */
  audible(at) {
    this.audibleAt = earliest(this.audibleAt, at);
    this.touch(at);
  }

  /** @param {number} ms a place in the sound @returns {boolean} whether a segment begins there, to a packet */
  beginsSegment(ms) {
    return beginsAt(this.segments, ms);
  }

  /** @param {number} at ms: its first sample leaves the player */
  playing(at) {
    this.playingAt = earliest(this.playingAt, at);
    this.hand.turn(at, true);
    this.sounding.begin(at);
    this.touch(at);
  }

  /** @param {number} at ms: the player has nothing left to play, and more is to come */
  underrun(at) {
    this.sounding.end(at);
    // Where text is still to come it is taken for what is waited for, until one knows better.
    const kind = Number.isNaN(this.textEndedAt) ? this.textWaits : this.underruns;
    kind.begin(at, this.sounding.playedMs);
    this.hand.emptied(at);
    this.touch(at);
  }

  /**
   * @param {number} at ms: it sounds again
   * @param {number} gapMs how long it did not
   * @param {boolean} [segmentStart] whether it goes on with a new segment
   */
  continued(at, gapMs, segmentStart = false) {
    // In the midst of a segment its text was there; and without a connection no text was of any use.
    if (!segmentStart || this.outages.within(this.textWaits.since, at) > 0) {
      this.textWaits.moveTo(this.underruns);
    }
    this.underruns.end(at, gapMs);
    this.textWaits.end(at, gapMs);
    this.hand.turn(at, true);
    this.sounding.begin(at);
    this.touch(at);
  }

  /**
   * @param {number} at ms
   * @param {number} playedMs how far it was heard at the loudspeaker, ms
   * @param {number} [heldMs] sound in the player's hands, ms
   */
  progress(at, playedMs, heldMs) {
    this.sounding.progress(at, playedMs);
    // The player may hold a later utterance's sound as well.
    const own = this.settings.track === true ? Number.POSITIVE_INFINITY : this.receivedMs - playedMs;
    this.hand.reported(at, Math.max(0, Math.min(heldMs ?? own, own)));
    this.touch(at);
  }

  /** @param {number} at ms: its last sample was heard */
  played(at) {
    this.playedAt = at;
    this.dryEnds(at);
    this.sounding.end(at);
    this.hand.emptied(at);
    this.touch(at);
  }

  /**
   * @param {{reason: string, audio_ms: number, timing?: Timing, cache?: string}} detail of the client's "done"
   * @param {number} at ms
   */
  done(detail, at) {
    this.doneWith = {
      at,
      reason: detail.reason,
      audioMs: detail.audio_ms,
      timing: detail.timing ?? {},
      cache: detail.cache ?? "off",
    };
    this.touch(at);
  }

  /** @param {number} at ms: the listener interrupts */
  cancelAsked(at) {
    this.cancelAskedAt = earliest(this.cancelAskedAt, at);
    this.touch(at);
  }

  /** @param {number} at ms: the player has fallen silent */
  silent(at) {
    this.silentAt = earliest(this.silentAt, at);
    this.dryEnds(at);
    this.sounding.end(at);
    this.hand.emptied(at);
    this.touch(at);
  }

  /**
   * @param {{reason: string, played_ms: number, spokenEnd?: number, range?: [number, number]}} detail of the client's
   *   "cancelled"
   * @param {number} at ms
   */
  cancelled(detail, at) {
    this.cancelledWith = {
      at,
      reason: detail.reason,
      playedMs: detail.played_ms,
      spokenEnd: detail.spokenEnd ?? detail.range?.[1] ?? 0,
    };
    this.sounding.end(earliest(this.silentAt, at));
    this.touch(at);
  }

  /**
   * The server waits, as the listener has enough in hand, or goes on.
   *
   * @param {{state: "paused" | "resumed"}} detail of the client's "flow"
   * @param {number} at ms
   */
  flow(detail, at) {
    if (detail.state === "paused") {
      this.waits.begin(at, this.receivedMs);
    } else {
      this.waits.end(at);
    }
    this.touch(at);
  }

  /** @param {number} at ms: the connection to the server is gone */
  connectionLost(at) {
    this.outages.begin(at, this.receivedMs);
    this.touch(at);
  }

  /** @param {number} at ms: the connection is back, and the utterance goes on */
  connectionBack(at) {
    this.outages.end(at);
    this.touch(at);
  }

  /**
   * @param {{message: string}} error
   * @param {number} at ms
   */
  failed(error, at) {
    this.failedWith = { at, message: error.message };
    this.touch(at);
  }

  /**
   * @param {number} index of `segments`
   * @returns {number} where that segment's sound ends, as far as that is known, ms
   */
  segmentEndMs(index) {
    return this.segments[index + 1]?.startMs ?? this.audioMs;
  }

  /** @private @param {number} at ms: nothing more is waited for */
  dryEnds(at) {
    this.underruns.end(at);
    this.textWaits.end(at);
  }

  /** @private @type {(at: number) => void} */
  touch(at) {
    this.version += 1;
    this.firstAt = earliest(this.firstAt, at);
    this.latestAt = Number.isNaN(this.latestAt) ? at : Math.max(this.latestAt, at);
  }
}

/** @type {(known: number, at: number) => number} */
function earliest(known, at) {
  return Number.isNaN(known) ? at : Math.min(known, at);
}
