import { connect } from "../realtime.js";

/** @typedef {import("../realtime.js").Session} Session */
/** @typedef {import("../realtime.js").Ready} Ready */
/** @typedef {import("../realtime.js").RealtimeError} RealtimeError */

/** @typedef {{id: string, name: string, languages: string[], kind: string, engine: string}} Voice */

/** After a failure the next try comes so much later, in ms, and then twice as much, up to the last. */
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;
/** How long the way there and back takes is measured so often, in ms. */
const PING_MS = 30_000;
/** A page that nobody uses for so long, in ms, does not keep its session: the server takes it for idle. */
const IDLE_MS = 240_000;

/** What the server answered in the place of what was asked for. */
export class ServerError extends Error {
  /**
   * @param {number} status of HTTP; 0 when there was no answer
   * @param {string} message
   * @param {number | null} retryAfterMs
   */
  constructor(status, message, retryAfterMs) {
    super(message);
    this.name = "ServerError";
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * The server that this page came from: its voices, and a session with it that is there when it is needed.
 *
 * Events (CustomEvent):
 * - `session` {session, isTrack}: another one, that may still be connecting
 * - `state` {state: "connecting" | "open" | "lost" | "closed", retryInMs?, reason?}
 * - `ready` `Ready`: a session has begun
 * - `back`: a session was taken up again, and nothing is missing
 * - `refused` `RealtimeError`: there was no session, or it is over, and why
 * - `way` ms there and back
 */
export class Server extends EventTarget {
  #url = new URL("../", import.meta.url);
  /** @type {string | null} */
  apiKey = null;
  /** @type {Session | null} */
  #session = null;
  /** Whether the sound of the session goes over a track. */
  #isTrack = false;
  /** What the latest session told; null before. @type {Ready | null} */
  ready = null;
  #retryMs = FIRST_RETRY_MS;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #usedAt = performance.now();
  /** Whether the page was left; a browser may keep it, and show it again. */
  #isLeft = false;
  /** Whether another try is due by itself. */
  #isRetrying = false;

  /** The address, without a slash at its end. */
  get origin() {
    return this.#url.href.replace(/\/$/, "");
  }

  /**
   * @returns {Promise<Voice[]>}
   * @throws {ServerError} with status 401 when a key is needed
   */
  async voices() {
    const headers = new Headers(this.apiKey === null ? {} : { Authorization: `Bearer ${this.apiKey}` });
    const response = await fetch(new URL("v1/voices", this.#url), { headers }).catch(() => {
      throw new ServerError(0, "The server cannot be reached.", null);
    });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) {
      const wait = Number(response.headers.get("Retry-After"));
      const message = answer.error?.message ?? `The server answered with HTTP ${response.status}.`;
      throw new ServerError(response.status, message, wait > 0 ? wait * 1000 : null);
    }
    return answer.data;
  }

  /** The session; another one is begun when the last is over. @returns {Session} */
  get session() {
    this.#usedAt = performance.now();
    if (this.#session === null || this.#session.state === "closed") return this.#connect();
    return this.#session;
  }

  /**
   * As `session`; one whose sound goes another way is dropped for it.
   * @param {boolean} isTrack whether its sound goes over a track
   * @returns {Session}
   */
  sessionOver(isTrack) {
    if (isTrack !== this.#isTrack) {
      this.#isTrack = isTrack;
      const former = this.#session;
      this.#session = null;
      former?.close({ drain: false });
    }
    return this.session;
  }

  /** Somebody is here: has a session ready. */
  wake() {
    this.#isLeft = false;
    if (this.#session !== null && !this.#isRetrying) this.session;
  }

  /** Nobody is here any more: the server need not keep the session. */
  leave() {
    clearTimeout(this.#timer);
    this.#isRetrying = false;
    this.#isLeft = true;
    this.#session?.close({ drain: false });
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#isRetrying = false;
    const session = connect(this.#url, {
      timestamps: "word",
      ...(this.#isTrack && { audio: "rtc" }),
      ...(this.apiKey !== null && { apiKey: this.apiKey }),
    });
    this.#session = session;
    const isTrack = this.#isTrack;
    this.#tell("session", { session, isTrack });
    this.#tell("state", { state: "connecting" });
    const isLast = () => session === this.#session;
    let isReady = false;
    let isIdle = false;
    let isForgotten = false;
    session.addEventListener("state", ({ detail }) => {
      if (!isLast()) return;
      if (detail.state === "open") this.#measure(session);
      // One that never began is told of by `ready`.
      if (detail.state !== "closed") this.#tell("state", detail);
      else if (isForgotten) this.#connectAnew();
      else if (isReady) this.#ended(isIdle, detail.reason ?? "");
    });
    session.addEventListener("closing", ({ detail }) => {
      isIdle = detail.reason === "idle";
    });
    session.addEventListener("error", ({ detail }) => {
      isForgotten ||= detail.code === "resume_failed";
    });
    session.addEventListener("resumed", () => isLast() && this.#tell("back", null));
    session.ready.then(
      (ready) => {
        if (!isLast()) return;
        isReady = true;
        this.#retryMs = FIRST_RETRY_MS;
        this.ready = ready;
        this.#tell("ready", ready);
      },
      (error) => isLast() && this.#refused(error),
    );
    return session;
  }

  /** @param {RealtimeError} error */
  #refused(error) {
    if (this.#isLeft) return;
    this.#tell("refused", error);
    const isFinal = error.code === "unauthorized" || (error.code === "unsupported" && this.#isTrack);
    if (isFinal) this.#tell("state", { state: "closed", reason: error.message });
    else this.#retry(error.retryAfterMs ?? this.#retryMs, error.message);
  }

  /** The server is there, and does not know the session: it was started anew, or the way was closed for too long. */
  #connectAnew() {
    if (!this.#isLeft) this.#connect();
  }

  /**
   * @param {boolean} isIdle whether it is over because nobody used it
   * @param {string} reason
   */
  #ended(isIdle, reason) {
    clearTimeout(this.#timer);
    if (isIdle || this.#isLeft) this.#tell("state", { state: "closed", reason: "" });
    else this.#retry(this.#retryMs, reason);
  }

  /** @type {(inMs: number, reason: string) => void} */
  #retry(inMs, reason) {
    this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
    this.#isRetrying = true;
    this.#tell("state", { state: "closed", reason, retryInMs: inMs });
    this.#timer = setTimeout(() => this.session, inMs);
  }

  /** Tells how long the way is, now and then, as long as somebody is here. @param {Session} session */
  #measure(session) {
    clearTimeout(this.#timer);
    session.ping().then(
      (ms) => this.#tell("way", ms),
      () => {},
    );
    this.#timer = setTimeout(() => {
      const isUsed = performance.now() < this.#usedAt + IDLE_MS;
      if (session === this.#session && session.state === "open" && isUsed) this.#measure(session);
    }, PING_MS);
  }

  /** @type {(type: string, detail: unknown) => void} */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
