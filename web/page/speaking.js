import { UtteranceLog } from "../record/log.js";
import { settingsOf } from "./samples.js";
import { sentence } from "./text.js";
import { paced, timesOf, tokensOf } from "./tokens.js";
import { Utterance } from "./utterance.js";

/** @typedef {import("../realtime.js").Context} Context */
/** @typedef {import("../realtime.js").Session} Session */
/** @typedef {import("../player/player.js").Player} Player */
/** @typedef {import("./link.js").Screen} Screen */

/** The server is told how far the listener is so often, in ms; it wants that every 2 s at least. */
const REPORT_MS = 240;

/** The server was started anew, or the connection was away for longer than it waits. */
const LOST = "The connection was away, and the server has forgotten this text. Speak it again.";

/** What belongs to an utterance while it is not over. @typedef {{utterance: Utterance, context: Context, player: Player, stop: AbortController, reportedAt: number}} Turn */

/**
 * Speaks: joins a session, a player and the log of what happens. One utterance at a time; a new one interrupts.
 *
 * Events (CustomEvent, `detail` is the `Utterance`):
 * - `began`: its first text was sent
 * - `loading`: it waits for a voice that is being loaded; its `loading` says how far that is
 * - `playing`: its first sound
 * - `over`: nothing more of it will be heard; its `state` says how it ended
 * - `answered`: the server has said what was heard of one that was interrupted
 * - `problem`: its `problem` says what went wrong
 * - `counted`: what its connection has counted is in its log
 */
export class Speaking extends EventTarget {
  #session;
  /** The one of the next utterance. @type {Player | null} */
  #player = null;
  #silence;
  /** That of what is being spoken. @type {Turn | null} */
  #turn = null;
  /** What was spoken last, or is: of a track is counted when it is over. @type {Utterance | null} */
  #latest = null;
  #count = 0;
  /** Whether the player can be heard; else the server is asked to wait. */
  #isAudible = true;

  /**
   * @param {(isTrack: boolean) => Session} session the one to speak in, whose sound goes over a track or not; it may
   *   still be connecting
   * @param {() => Promise<number>} silence when the player's sound is no more, in ms of performance.now()
   */
  constructor(session, silence) {
    super();
    this.#session = session;
    this.#silence = silence;
  }

  /** What is being spoken, or null. @returns {Utterance | null} */
  get current() {
    return this.#turn?.utterance ?? null;
  }

  /** How far the present utterance was heard, in ms. */
  get playedMs() {
    const turn = this.#turn;
    return turn ? turn.player.playedMs(turn.utterance.key) : 0;
  }

  /**
   * Plays with another player from the next utterance on; what is sounding goes on with the one it has.
   * @param {Player} player
   * @returns {Promise<void>} when no other player is needed any more
   */
  use(player) {
    this.#player = player;
    /** @type {(type: string, take: (turn: Turn, detail: any) => void) => void} */
    const on = (type, take) =>
      player.addEventListener(type, (event) => {
        const { detail } = /** @type {CustomEvent} */ (event);
        const turn = this.#turn;
        if (turn !== null && turn.utterance.key === detail.utterance) take(turn, detail);
      });
    on("playing", (turn, { at }) => this.#playing(turn, at));
    on("underrun", ({ utterance }, { at }) => {
      // A track that was asked to wait has not run dry.
      if (this.#isAudible || !player.isTrack) utterance.log.underrun(at);
    });
    on("continued", ({ utterance: { log } }, { at, gapMs, segmentStart, positionMs }) =>
      log.continued(at, gapMs, segmentStart ?? log.beginsSegment(positionMs)),
    );
    on("progress", (turn, { at, playedMs }) => this.#progress(turn, at, playedMs));
    on("played", (turn, { at }) => this.#played(turn, at));
    on("error", (turn, { message }) => this.#unplayable(turn, message));
    on("audible", ({ utterance }, { at }) => utterance.log.audible(at));
    player.addEventListener("carried", (event) => {
      const { utterance, at, carried } = /** @type {CustomEvent} */ (event).detail;
      const latest = this.#latest;
      if (latest === null || latest.key !== utterance) return;
      latest.log.carriedOver(carried, at);
      this.#tell("counted", latest);
    });
    player.addEventListener("way", (event) => {
      const { state, reason } = /** @type {CustomEvent} */ (event).detail;
      const turn = this.#turn;
      if (state === "failed" && turn?.player === player) this.#unplayable(turn, reason);
    });
    return new Promise((resolve) => {
      const look = () => {
        if (this.#turn !== null && this.#turn.player !== player) return;
        this.removeEventListener("over", look);
        resolve();
      };
      this.addEventListener("over", look);
      look();
    });
  }

  /**
   * Speaks a text: as a whole, or token by token when the screen says so.
   * @param {Screen} screen
   * @param {number} askedAt when a person asked for it, in ms of performance.now()
   */
  speak(screen, askedAt) {
    if (screen.llm) this.#speakAsLlm(screen, askedAt);
    else this.#speakWhole(screen, askedAt);
  }

  /**
   * Silence now; the server is told, and says what was heard.
   * @param {number} askedAt when a person asked for it, in ms of performance.now()
   */
  interrupt(askedAt) {
    const turn = this.#turn;
    if (!turn) return;
    const { utterance, context, player, stop } = turn;
    const { log } = utterance;
    player.stop();
    const playedMs = player.playedMs(utterance.key);
    stop.abort();
    this.#turn = null;
    log.cancelAsked(askedAt);
    utterance.lightTo(playedMs);
    utterance.sounding = null;
    utterance.state = "interrupted";
    const sounded = !Number.isNaN(utterance.firstSoundMs);
    if (sounded) this.#silence().then((at) => this.#silent(utterance, at, askedAt));
    else log.silent(performance.now());
    context.cancel({ playedMs }).then(
      (cancelled) => {
        utterance.cutAt(cancelled.spokenEnd);
        log.cancelled(cancelled, cancelled.at);
        this.#tell("answered", utterance);
      },
      // It had failed, or the connection is gone for good: then only the page knows what was heard.
      (error) => log.failed(error, performance.now()),
    );
    this.#tell("over", utterance);
  }

  /** Whether the player can be heard: a page may not sound before it was clicked. @param {boolean} audible */
  setAudible(audible) {
    if (audible === this.#isAudible) return;
    this.#isAudible = audible;
    if (audible) this.#turn?.context.continue();
    else this.#turn?.context.pause();
  }

  /** @param {boolean} lost whether the connection is gone, or back */
  setConnection(lost) {
    const log = this.#turn?.utterance.log;
    if (lost) log?.connectionLost(performance.now());
    else log?.connectionBack(performance.now());
  }

  /** @type {(screen: Screen, askedAt: number) => void} */
  #speakWhole(screen, askedAt) {
    const turn = this.#begin(screen, [], askedAt);
    this.#send(turn, turn.utterance.text);
    this.#end(turn);
    this.#tell("began", turn.utterance);
  }

  /** @type {(screen: Screen, askedAt: number) => void} */
  #speakAsLlm(screen, askedAt) {
    const tokens = tokensOf(screen.text);
    const turn = this.#begin(screen, tokens, askedAt);
    const times = timesOf(tokens.length, screen.rate, screen.jitter);
    this.#sendAll(turn, paced(tokens, times, turn.stop.signal));
  }

  /** @type {(turn: Turn, tokens: AsyncIterable<string>) => Promise<void>} */
  async #sendAll(turn, tokens) {
    try {
      for await (const token of tokens) {
        this.#send(turn, token);
        // Who listens has much to draw: the first text is on its way by then.
        if (turn.utterance.log.tokenCount === 1) this.#tell("began", turn.utterance);
      }
      if (!turn.stop.signal.aborted) this.#end(turn);
    } catch {
      // The context is over, and says so itself.
    }
  }

  /** @type {(turn: Turn, text: string) => void} */
  #send({ utterance, context }, text) {
    const { log } = utterance;
    const start = log.text.length;
    context.send(text);
    log.text += text;
    utterance.sentEnd = log.text.length;
    log.tokenSent(performance.now(), start, log.text.length);
  }

  /** @param {Turn} turn */
  #end({ utterance, context }) {
    context.end();
    utterance.log.textEnded(performance.now());
  }

  /** @type {(screen: Screen, tokens: string[], askedAt: number) => Turn} */
  #begin(screen, tokens, askedAt) {
    const player = this.#player;
    if (player === null) throw new Error("There is no player yet.");
    this.interrupt(askedAt);
    const context = this.#session(player.isTrack).open(settingsOf(screen));
    this.#count += 1;
    const key = `utterance-${this.#count}`;
    const { voice, language, speed, llm } = screen;
    const log = new UtteranceLog(key, {
      voice,
      language,
      speed,
      player: player.label,
      mode: llm ? "llm" : "text",
      preSkip: 0,
      track: player.isTrack,
    });
    log.askedAt = askedAt;
    const utterance = new Utterance(screen, log, tokens, askedAt);
    const turn = { utterance, context, player, stop: new AbortController(), reportedAt: 0 };
    this.#turn = turn;
    this.#latest = utterance;
    this.#listen(turn);
    // What comes over a track now would be lost; `setAudible` has it go on.
    if (player.isTrack && player.context.state !== "running") this.#isAudible = false;
    if (!this.#isAudible) context.pause();
    return turn;
  }

  /** @param {Turn} turn */
  #listen(turn) {
    const { utterance, context, player } = turn;
    const { log, key } = utterance;
    // The client knows contexts for longer than this page needs them.
    const listening = { signal: turn.stop.signal };
    context.addEventListener(
      "opened",
      ({ detail: { voice, language } }) => {
        Object.assign(log.settings, { voice, language, preSkip: context.settings?.pre_skip ?? 0 });
      },
      listening,
    );
    context.addEventListener("loading", ({ detail }) => this.#loading(turn, detail), listening);
    context.addEventListener("segment", ({ detail }) => log.segment(detail, detail.at), listening);
    context.addEventListener("words", ({ detail }) => log.words(detail, detail.at), listening);
    context.addEventListener("flow", ({ detail }) => log.flow(detail, detail.at), listening);
    context.addEventListener(
      "frame",
      ({ detail }) => {
        log.frame(detail, detail.at);
        player.push(key, detail, log.settings.preSkip ?? 0);
      },
      listening,
    );
    context.addEventListener(
      "playback",
      ({ detail }) => {
        log.left(detail.played_ms, detail.at, detail.state === "ended");
        player.told(key, detail);
      },
      listening,
    );
    context.addEventListener(
      "done",
      ({ detail }) => {
        log.done(detail, detail.at);
        if (player.isTrack) player.end(key, detail.audio_ms);
        if (detail.audio_ms === 0) this.#close(turn, utterance.problem === null ? "unspoken" : "failed");
      },
      listening,
    );
    const failed = (/** @type {{detail: import("../realtime.js").RealtimeError}} */ { detail }) =>
      this.#failed(turn, detail.message, detail);
    context.addEventListener("error", failed, listening);
    context.finished.catch((error) => {
      // What has come of it is still heard.
      player.end(key);
      if (log.receivedMs === 0 || utterance.isOver) this.#close(turn, "failed");
      this.#failed(turn, error.message, error);
    });
  }

  /** @type {(turn: Turn, loading: import("./utterance.js").Loading) => void} */
  #loading({ utterance }, loading) {
    utterance.loading = loading;
    this.#tell("loading", utterance);
  }

  /** @type {(turn: Turn, at: number) => void} */
  #playing({ utterance, context }, at) {
    utterance.log.playing(at);
    utterance.firstSoundMs = at - utterance.askedAt;
    utterance.state = "sounding";
    context.played(0);
    this.#tell("playing", utterance);
  }

  /** @type {(turn: Turn, at: number, playedMs: number) => void} */
  #progress(turn, at, playedMs) {
    const { utterance, context, player } = turn;
    utterance.log.progress(at, playedMs, player.heldMs());
    if (at - turn.reportedAt >= REPORT_MS) {
      turn.reportedAt = at;
      context.played(playedMs);
    }
  }

  /** @type {(turn: Turn, at: number) => void} */
  #played(turn, at) {
    const { utterance, context } = turn;
    utterance.log.played(at);
    context.played(utterance.log.audioMs);
    utterance.lightTo(Number.MAX_VALUE);
    this.#close(turn, utterance.problem === null ? "heard" : "failed");
  }

  /** @type {(turn: Turn, state: "heard" | "unspoken" | "failed") => void} */
  #close(turn, state) {
    if (this.#turn !== turn) return;
    this.#turn = null;
    const { utterance, stop } = turn;
    stop.abort();
    utterance.sounding = null;
    utterance.state = state;
    this.#tell("over", utterance);
  }

  /** @type {(turn: Turn, message: string) => void} */
  #unplayable(turn, message) {
    const { utterance, context, player } = turn;
    this.#failed(turn, message);
    // A player that has given it up will never say that it was played.
    if (!player.isTrack && (player.current() === utterance.key || player.heldMs() > 0)) return;
    context.cancel({ playedMs: player.playedMs(utterance.key) }).catch(() => {});
    this.#close(turn, "failed");
  }

  /** @type {(utterance: Utterance, at: number, askedAt: number) => void} */
  #silent(utterance, at, askedAt) {
    utterance.log.silent(at);
    utterance.silenceMs = at - askedAt;
    this.#tell("answered", utterance);
  }

  /** @type {(turn: Turn, message: string, error?: {message: string, code?: string, retryAfterMs?: number | null}) => void} */
  #failed({ utterance }, message, error) {
    // Of what was interrupted nobody expects anything more.
    if (utterance.problem !== null || utterance.state === "interrupted") return;
    if (error?.code === "resume_failed") message = LOST;
    // Where it says how soon, it need not say "soon".
    utterance.problem = error?.retryAfterMs
      ? `${sentence(message.replace(/[;,]? *try again (soon|later)\.?$/i, ""))} Try again in ${inWords(error.retryAfterMs)}.`
      : sentence(message);
    utterance.log.failed({ message }, performance.now());
    this.#tell("problem", utterance);
  }

  /** @type {(type: string, utterance: Utterance) => void} */
  #tell(type, utterance) {
    this.dispatchEvent(new CustomEvent(type, { detail: utterance }));
  }
}

/** @param {number} ms */
function inWords(ms) {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  return seconds === 1 ? "a second" : `${seconds} seconds`;
}
