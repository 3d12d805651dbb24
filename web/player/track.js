/** The player of a track: the browser decodes, and levels out by its jitter buffer what comes unevenly. */

import { Track } from "../realtime/track.js";
import { Heard } from "./heard.js";
import { RATE } from "./opus.js";
import { Player } from "./player.js";
import { createTicker } from "./ticker.js";

/** @typedef {import("../realtime.js").Reception} Reception */
/** @typedef {import("../realtime.js").Session} Session */
/** @typedef {import("./heard.js").Told} Told */
/** @typedef {import("./ticker.js").Ticker} Ticker */

/** A fade, in seconds: too short to be heard as such, and long enough not to click. */
const FADE_S = 0.003;
/** From this on sound is heard. */
const AUDIBLE = 10 ** (-45 / 20);
/** Samples that are looked at together; more than pass from one tick to the next. */
const SEEN = 4096;
/** The browser is asked so often what it has counted, in ms; and what it then says is of so long at least. */
const COUNT_MS = 500;
/** Who has never had a connection, and is told to come again, does so not more often than this. */
const MOST_FAILURES = 3;
/** As long as nothing sounds it is asked more seldom. */
const COUNT_IDLE_MS = 1000;
/** Before it was measured, the jitter buffer is taken to hold so much, in ms. */
const USUAL_BUFFER_MS = 60;
/** What passes between the jitter buffer and the audio graph, in ms: one packet is cut into quanta. */
const HANDED_ON_MS = 10;
/** Sound after a silence is let through so long before it is due, in ms: it must not lose its beginning. */
const EARLY_MS = 30;

/**
 * What was counted while an utterance sounded; NaN where the browser does not say.
 * @typedef {object} Carried
 * @property {number} packets
 * @property {number} bytes
 * @property {number} lost packets that never came
 * @property {number} jitterMs
 * @property {number} roundTripMs
 * @property {number} bufferedS how long all samples waited in the jitter buffer, added up, in seconds
 * @property {number} bufferedSamples how many those were
 * @property {number} samples that were played
 * @property {number} concealedSamples those of them that were made up
 */

/**
 * @param {AudioContext} context at 48 kHz, may be suspended
 * @returns {Promise<Player>} to be given the session (`join`) whose sound it plays
 */
export async function createTrackPlayer(context) {
  const player = new TrackPlayer(context);
  player.ticker = await createTicker(context, player.output);
  player.ticker.ontick = () => player.tick();
  return player;
}

/**
 * Besides what all players tell:
 * - `audible` {utterance, at}: the first sound of it that one can hear
 * - `carried` {utterance, at, carried}: what the browser has counted of it, twice a second and at its end
 * - `way` {state, reason}: how the connection is; "failed" is the end of it
 */
class TrackPlayer extends Player {
  /** @type {Ticker | null} */
  ticker = null;
  /** @override */
  isTrack = true;
  #element = new Audio();
  #gate;
  #ear;
  #samples = new Float32Array(SEEN);
  /** @type {MediaStreamAudioSourceNode | null} */
  #source = null;
  /** @type {Session | null} */
  #session = null;
  /** @type {Track | null} */
  #track = null;
  /** Those that were not heard to their end, in the order of playing. @type {Map<string, Heard>} */
  #live = new Map();
  #isShut = false;
  #bufferMs = USUAL_BUFFER_MS;
  /** What was counted last. @type {Reception | null} */
  #counted = null;
  #countsAt = 0;
  #idle;
  /** When the first sound of it is looked for: since then. @type {{key: string, since: number} | null} */
  #listening = null;

  /** @param {AudioContext} context */
  constructor(context) {
    super("webrtc", "WebRTC", context);
    this.#gate = new GainNode(context);
    this.#ear = new AnalyserNode(context, { fftSize: SEEN });
    this.#gate.connect(this.output);
    this.#gate.connect(this.#ear);
    // Chromium gives no sound of a track to the audio graph unless an element plays it as well. It is muted: all that
    // is heard comes out of the graph, where it can be drawn, and made silent at once.
    this.#element.muted = true;
    this.#element.autoplay = true;
    // How late sound is must be known when the next one comes.
    this.#idle = setInterval(() => this.#live.size === 0 && this.#count(null), COUNT_IDLE_MS);
  }

  /**
   * @override
   * @param {Session} session
   */
  join(session) {
    if (session === this.#session) return;
    this.#leave();
    this.#session = session;
    const track = new Track(/** @type {any} */ (session));
    this.#track = track;
    let hasBeen = false;
    let failures = 0;
    /** @type {(type: string, take: (detail: any) => void) => void} */
    const on = (type, take) =>
      track.addEventListener(type, (event) => {
        if (track === this.#track) take(/** @type {CustomEvent} */ (event).detail);
      });
    on("track", () => this.#take());
    on("state", ({ state, reason = "" }) => {
      if (state === "connected") this.#count(null);
      hasBeen ||= state === "connected";
      this.emit("way", { state, reason });
    });
    on("error", ({ message, retryAfterMs }) => {
      failures += 1;
      const mayBe =
        track.state !== "closed" && (hasBeen || (retryAfterMs !== null && failures < MOST_FAILURES));
      if (!mayBe) this.emit("way", { state: "failed", reason: message });
    });
    session.addEventListener("resumed", () => {
      // What was told while there was no socket is not told again.
      if (session === this.#session) for (const one of this.#live.values()) one.goesOn(performance.now());
    });
  }

  /**
   * @override
   * @param {string} key
   * @param {Told} told
   */
  told(key, told) {
    let one = this.#live.get(key);
    if (one === undefined) {
      one = new Heard();
      this.#live.set(key, one);
      this.forget(key);
      this.#listening = { key, since: told.at };
      this.#open(told.at + this.#delayMs - EARLY_MS - performance.now());
      this.#count(null);
      this.ticker?.start();
    }
    one.told(told);
  }

  /**
   * @override
   * @param {string} key
   * @param {number} [ms] how long its sound is; when that is not known, it ends where it stands still
   */
  end(key, ms = Number.NaN) {
    this.#live.get(key)?.end(ms);
  }

  /** @override */
  stop() {
    this.#isShut = true;
    this.#ramp(0, 0);
    this.ticker?.stop();
    this.#listening = null;
    const now = performance.now();
    const [sounding] = this.#live.keys();
    if (sounding !== undefined) this.#count(sounding);
    for (const [key, one] of this.#live) this.remember(key, one.at(now - this.#heardLateMs));
    this.#live.clear();
  }

  /**
   * @override
   * @param {string} key
   * @returns {number}
   */
  playedMs(key) {
    return this.#live.get(key)?.at(performance.now() - this.#heardLateMs) ?? super.playedMs(key);
  }

  /**
   * @override
   * @returns {string | null}
   */
  current() {
    for (const [key, one] of this.#live) if (one.hasBegun) return key;
    return null;
  }

  /**
   * @override
   * @returns {number} what is in the jitter buffer, on average
   */
  heldMs() {
    return this.#live.size > 0 ? this.#bufferMs : 0;
  }

  /** @override */
  async close() {
    await super.close();
    clearInterval(this.#idle);
    this.#leave();
    this.ticker?.close();
    this.#gate.disconnect();
  }

  /** What happens now, by what was told; called by the audio itself, and so in the background as well. */
  tick() {
    const now = performance.now();
    this.#listen(now);
    const graph = now - this.#delayMs;
    for (const [key, one] of [...this.#live]) {
      for (const { type, at, gapMs, positionMs } of one.happened(graph)) {
        const detail = { utterance: key, at: at + this.#delayMs };
        if (type === "continued") this.emit(type, { ...detail, gapMs, positionMs });
        else if (type !== "played") this.emit(type, { ...detail, heardAt: detail.at + this.#latencyMs });
        else {
          this.#over(key, one, detail.at);
          break;
        }
      }
      if (this.#live.get(key) !== one) continue;
      if (one.hasBegun) this.heardUpTo(key, one.at(now - this.#heardLateMs), false);
    }
    const [sounding] = this.#live.keys();
    if (sounding !== undefined && now >= this.#countsAt) this.#count(sounding);
  }

  /** @type {(key: string, one: Heard, at: number) => void} */
  #over(key, one, at) {
    const playedMs = one.at(Number.POSITIVE_INFINITY);
    this.heardUpTo(key, playedMs, true);
    if (!this.#live.delete(key)) return;
    this.remember(key, playedMs);
    if (this.#live.size === 0) this.ticker?.stop();
    this.#count(key);
    this.emit("played", { utterance: key, at: at + this.#latencyMs });
  }

  // -- its sound ------------------------------------------------------------------------------------------

  /** There is a new connection. */
  #take() {
    const stream = this.#track?.stream;
    if (!stream) return;
    this.#source?.disconnect();
    this.#element.srcObject = stream;
    // Muted it may always play; a browser that does not let it says so by silence, as for all pages.
    this.#element.play().catch(() => {});
    this.#source = this.context.createMediaStreamSource(stream);
    this.#source.connect(this.#gate);
    this.#counted = null;
  }

  #leave() {
    this.#track?.close();
    this.#track = this.#session = null;
    this.#source?.disconnect();
    this.#source = null;
    this.#element.srcObject = null;
  }

  /** Lets sound through again, in so many ms: before that there may be some of what was stopped. @param {number} inMs */
  #open(inMs) {
    if (!this.#isShut) return;
    this.#isShut = false;
    this.#ramp(1, Math.max(0, inMs) / 1000);
  }

  /** @type {(level: number, inS: number) => void} */
  #ramp(level, inS) {
    const at = this.context.currentTime + inS;
    const { gain } = this.#gate;
    gain.cancelScheduledValues(0);
    gain.setValueAtTime(gain.value, at);
    gain.linearRampToValueAtTime(level, at + FADE_S);
  }

  /** Looks for the first sound that one can hear. @param {number} now */
  #listen(now) {
    if (this.#listening === null) return;
    const { key, since } = this.#listening;
    this.#ear.getFloatTimeDomainData(this.#samples);
    const first = SEEN - Math.min(SEEN, Math.floor(((now - since) * RATE) / 1000));
    for (let index = first; index < SEEN; index += 1) {
      if (Math.abs(this.#samples[index] ?? 0) < AUDIBLE) continue;
      this.#listening = null;
      const at = now - ((SEEN - index) * 1000) / RATE;
      // It is not heard before it plays: the jitter buffer holds less than was thought.
      this.#bufferMs = Math.min(this.#bufferMs, Math.max(0, at - since - HANDED_ON_MS));
      this.emit("audible", { utterance: key, at });
      return;
    }
  }

  // -- how late it is -------------------------------------------------------------------------------------

  /** From its leaving the server, as it is told here, to the audio graph. */
  get #delayMs() {
    return this.#bufferMs + HANDED_ON_MS;
  }

  /** The same to the loudspeaker. */
  get #heardLateMs() {
    return this.#delayMs + this.#latencyMs;
  }

  get #latencyMs() {
    return (this.context.outputLatency || this.context.baseLatency || 0) * 1000;
  }

  /** @param {string | null} key of what has sounded since the last time; null: what comes from now on is counted */
  async #count(key) {
    this.#countsAt = performance.now() + COUNT_MS;
    const before = this.#counted;
    const counted = await this.#track?.stats().catch(() => null);
    if (!counted || before !== this.#counted) return;
    this.#counted = counted;
    if (before === null) return;
    const carried = difference(before, counted);
    const { bufferedS, bufferedSamples } = carried;
    if (bufferedSamples > 0) this.#bufferMs = (bufferedS * 1000) / bufferedSamples;
    if (key !== null) this.emit("carried", { utterance: key, at: counted.at, carried });
  }
}

/**
 * @param {Reception} before
 * @param {Reception} now
 * @returns {Carried}
 */
function difference(before, now) {
  return {
    packets: now.packets - before.packets,
    bytes: now.bytes - before.bytes,
    lost: now.lost - before.lost,
    jitterMs: now.jitterMs,
    roundTripMs: now.roundTripMs,
    bufferedS: now.bufferedS - before.bufferedS,
    bufferedSamples: now.bufferedSamples - before.bufferedSamples,
    samples: now.samples - before.samples,
    concealedSamples: now.concealedSamples - before.concealedSamples,
  };
}
