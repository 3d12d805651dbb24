import { Context, handled, rangedCancelled } from "./context.js";
import { Directory } from "./directory.js";
import { RealtimeError, SESSION_CLOSED, told } from "./errors.js";
import { Line } from "./line.js";
import { Outbox } from "./outbox.js";
import { Pulse } from "./pulse.js";
import { ANSWERS, Questions } from "./questions.js";
import { Received } from "./received.js";
import { checkOpening } from "./settings.js";
import { utf8Bytes } from "./units.js";
import { ALL, addressOf, decodeFrame } from "./wire.js";

/** @import {Cancelled, Ready, SessionState} from "../realtime.js" */
/** @import {Link} from "./context.js" */
/** @import {ClientMessage, ServerMessage} from "./wire.js" */

const STALL_MS = 10_000;
/** A context that waits for text is asked after for so long: then the server may take the session for idle. */
const ATTENTIVE_MS = 120_000;
/** Before the server has told its limits, text goes in pieces that every server takes. */
const SMALL_TEXT_BYTES = 4096;
/** What a byte of text may become in JSON (`\u0000`), and what stands around it. */
const JSON_GROWTH = 6;
const JSON_AROUND = 512;

/** A session; made by `connect`. realtime.d.ts says how it is used. */
export class Session extends EventTarget {
  /** @type {SessionState} */
  state = "connecting";
  resumed = 0;
  /** @type {Ready | null} */
  settings = null;
  #line;
  /** @type {Link} */
  #link;
  #stallMs;
  #pulse;
  #outbox = new Outbox();
  #received = new Received();
  #questions = new Questions();
  #directory = new Directory();
  #opened = 0;
  #lastActivity = performance.now();
  #closing = false;
  /** What the server said before it closed. @type {string | null} */
  #goodbye = null;
  /** @type {RealtimeError | null} */
  #fatal = null;
  /** Why it is over. @type {RealtimeError | null} */
  #over = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {(ready: Ready) => void} */
  #begin = () => {};
  /** @type {(error: RealtimeError) => void} */
  #refuse = () => {};
  /** @type {() => void} */
  #end = () => {};
  /** @type {Promise<void>} */
  #ended = new Promise((resolve) => {
    this.#end = resolve;
  });

  /**
   * @param {string | URL | undefined} url
   * @param {{apiKey?: string | undefined, resume?: boolean | undefined, stallMs?: number | undefined}} options
   */
  constructor(url, { apiKey, resume = true, stallMs = STALL_MS, ...start } = {}) {
    super();
    this.#stallMs = stallMs;
    this.#pulse = new Pulse(stallMs, performance.now());
    /** @type {Promise<Ready>} */
    this.ready = handled(
      new Promise((resolve, reject) => {
        this.#begin = resolve;
        this.#refuse = reject;
      }),
    );
    this.#link = {
      put: (message) => this.#put(message),
      ask: (message) => this.#ask(message),
      over: () => this.#over,
      maxTextBytes: () => this.#maxTextBytes,
    };
    this.#line = new Line(addressOf(url), apiKey, { type: "session.start", ...start }, resume, stallMs, {
      ready: (ready, again, data) => this.#takeReady(ready, again, data),
      message: (message, data) => this.#takeMessage(message, data),
      frame: (data) => this.#takeFrame(data),
      lost: (retryInMs, reason) => this.#lost(retryInMs, reason),
      closed: (error, reason) => this.#closed(error, reason),
      resumption: () => ({
        session_id: this.settings?.session_id,
        token: this.settings?.resume_token,
        last: this.#received.last(),
      }),
    });
  }

  // -- what goes out ------------------------------------------------------------------------------------

  /** @param {{context_id?: string | undefined, on_conflict?: string | undefined}} [settings] */
  open(settings = {}) {
    if (this.#over !== null) throw this.#over;
    const opening = { ...settings, context_id: settings.context_id ?? `context-${++this.#opened}` };
    checkOpening(opening);
    const context = new Context(this.#link, opening.context_id);
    const preempted = opening.on_conflict === "preempt" ? this.#silenceAll() : [];
    if (preempted.length > 0) this.#followPreempting(context, preempted);
    this.#directory.expect(context);
    this.#put({ type: "context.open", ...opening });
    return context;
  }

  /**
   * @param {object} settings
   * @returns {Promise<Ready>}
   */
  async update(settings) {
    let refusal = null;
    for (const answer of await this.#ask({ ...settings, type: "session.update" })) {
      if (answer.type === "session.ready") return /** @type {any} */ (answer);
      // Unless it is about an older update, and was said again after a loss.
      if (answer.type === "error" && answer.context_id === undefined) refusal = told(answer);
    }
    throw refusal ?? new RealtimeError("internal", "the server did not answer `session.update`");
  }

  /**
   * @param {{playedMs?: number | undefined}} [options]
   * @returns {Promise<Cancelled[]>}
   */
  cancelAll({ playedMs } = {}) {
    const silenced = this.#silenceAll();
    const played_ms = Number.isFinite(playedMs) ? playedMs : undefined;
    const cancelled = this.#ask({ type: "cancel", context_id: ALL, played_ms }).then((answers) => {
      // One that was heard to its end before has no answer.
      for (const context of silenced) context._tellDone();
      const at = performance.now();
      return answers
        .filter((answer) => answer.type === "context.cancelled" && answer.context_id !== ALL)
        .map((answer) => rangedCancelled(answer, at));
    });
    return handled(cancelled);
  }

  async ping() {
    for (;;) {
      const begun = performance.now();
      const resumed = this.resumed;
      await this.#ask(null);
      // Else the way was measured that led nowhere.
      if (this.resumed === resumed) return performance.now() - begun;
    }
  }

  /** @param {{drain?: boolean | undefined}} [options] */
  close({ drain = true } = {}) {
    if (this.#over === null) {
      this.#closing = true;
      const nothingToDrop = this.state === "connecting" || (this.state === "lost" && !drain);
      if (nothingToDrop) this.#line.leave();
      else this.#put({ type: "session.close", drain });
    }
    return this.#ended;
  }

  /** @param {ClientMessage} message */
  #put(message) {
    if (this.#over !== null) return;
    this.#outbox.put(message);
    this.#noteSending();
    this.#write();
  }

  /**
   * @param {ClientMessage | null} message
   * @returns {Promise<ServerMessage[]>}
   */
  #ask(message) {
    return new Promise((resolve, reject) => {
      if (this.#over !== null) return reject(this.#over);
      const tag = this.#questions.ask(message, (answers) => {
        if (answers === null) reject(this.#over);
        else resolve(answers);
      });
      this.#outbox.ask(message, tag);
      this.#noteSending();
      this.#write();
    });
  }

  #write() {
    while (this.#line.isUp) {
      const message = this.#outbox.take();
      if (message === null) return;
      const text = JSON.stringify(message);
      this.#line.send(text);
      this.#tell("sent", { type: message.type, bytes: utf8Bytes(text), at: performance.now() });
    }
  }

  #noteSending() {
    this.#lastActivity = performance.now();
    this.#pulse.sent(this.#lastActivity);
  }

  get #maxTextBytes() {
    const limits = this.settings?.limits;
    if (limits === undefined) return SMALL_TEXT_BYTES;
    const fits = Math.floor((limits.message_bytes - JSON_AROUND) / JSON_GROWTH);
    return Math.max(4, Math.min(limits.text_bytes_per_message, fits));
  }

  /** From here on nothing is heard of the contexts there are. */
  #silenceAll() {
    const contexts = this.#directory.all().filter((context) => !context._isOver);
    for (const context of contexts) context._silence();
    return contexts;
  }

  /**
   * The server cancels these contexts when it opens the new one. When it does not, it is asked to: nobody hears
   * them any more.
   * @param {Context} context
   * @param {Context[]} preempted
   */
  #followPreempting(context, preempted) {
    const opened = () => {
      for (const one of preempted) one._tellDone();
    };
    const refused = () => {
      if (context.handle === null && this.#over === null) for (const one of preempted) one.cancel();
    };
    context.addEventListener("opened", opened, { once: true });
    context.finished.catch(refused);
  }

  // -- its life -----------------------------------------------------------------------------------------

  /**
   * @param {Ready} ready
   * @param {boolean} again
   * @param {string} data
   */
  #takeReady(ready, again, data) {
    this.#noteReceived("session.ready", data);
    const now = performance.now();
    this.settings = ready;
    this.#pulse = new Pulse(this.#stallMs, now);
    if (again) this.#takeUp(ready);
    else if (!this.#line.canResume) this.#outbox.forgetSent();
    this.#setState("open");
    if (again) this.#tell("resumed", { contexts: ready.contexts ?? [] });
    else this.#begin(ready);
    if (this.#over !== null) return; // who was told may have closed it
    this.#noteSending();
    this.#write();
    this.#watch();
  }

  /** @param {Ready} ready */
  #takeUp(ready) {
    this.resumed++;
    this.#received.resumed();
    const { endedEarly, cancelled } = this.#outbox.resumed(ready.contexts ?? []);
    this.#questions.miss([...cancelled].filter((handle) => !this.#received.isCancelled(handle)));
    this.#directory.endedEarly(endedEarly);
  }

  /**
   * @param {number} retryInMs
   * @param {string} reason
   */
  #lost(retryInMs, reason) {
    clearTimeout(this.#timer);
    this.#setState("lost", { retryInMs, reason });
  }

  /**
   * @param {RealtimeError | null} lineError
   * @param {string} reason
   */
  #closed(lineError, reason) {
    clearTimeout(this.#timer);
    const wasReady = this.settings !== null;
    const error = this.#fatal ?? lineError;
    const why = error?.message ?? (this.#closing ? "closed here" : (this.#goodbye ?? reason));
    this.#over = error ?? new RealtimeError(SESSION_CLOSED, `the session is over: ${why || "it was closed"}`);
    if (!wasReady) this.#refuse(this.#over);
    this.#questions.end();
    for (const context of this.#directory.all()) context._fail(this.#over);
    if (error !== null) this.#tell("error", error);
    this.#setState("closed", { reason: why });
    this.#end();
  }

  /**
   * @param {SessionState} state
   * @param {{retryInMs?: number, reason?: string}} [more]
   */
  #setState(state, more = {}) {
    this.state = state;
    this.#tell("state", { state, ...more });
  }

  /** Look after the connection, whenever silence could mean that it is dead. */
  #watch() {
    clearTimeout(this.#timer);
    const deadline = this.#pulse.deadline;
    this.#timer = setTimeout(
      () => {
        const now = performance.now();
        if (now > deadline + this.#stallMs / 2) this.#pulse.held(now);
        const verdict = this.#pulse.judge(now, this.#expects(now));
        if (verdict === "lost") {
          this.#line.drop();
          return;
        }
        if (verdict === "ask") {
          this.#outbox.mark();
          this.#write();
        }
        this.#watch();
      },
      Math.max(0, deadline - performance.now()),
    );
  }

  /** Whether the server has something to say. @param {number} now */
  #expects(now) {
    if (!this.#outbox.isProven || !this.#questions.isEmpty) return true;
    const isAttentive = now < this.#lastActivity + ATTENTIVE_MS;
    return isAttentive && this.#directory.all().some((context) => !context._isOver);
  }

  // -- what comes in ------------------------------------------------------------------------------------

  /** @param {ArrayBuffer} data */
  #takeFrame(data) {
    const at = this.#noteReceived("frame", data);
    const frame = decodeFrame(data);
    if (frame === null || !this.#received.frame(frame.handle, frame.seq)) return;
    this.#noteNews();
    this.#directory.get(frame.handle)?._frame(frame, at);
  }

  /**
   * @param {ServerMessage} whole
   * @param {string} data
   */
  #takeMessage(whole, data) {
    const at = this.#noteReceived(whole.type, data);
    if (whole.type === "pong") {
      this.#takePong(whole.t);
      return;
    }
    const message = this.#received.message(whole);
    if (message === null) return;
    this.#noteNews();
    const context = message.handle ? this.#directory.get(message.handle) : undefined;
    if (message.type === "session.ready") this.settings = /** @type {any} */ (message);
    else if (message.type === "session.closing") this.#takeClosing(message);
    else if (message.type === "context.opened") this.#takeOpened(message, at);
    else if (message.type === "error") this.#takeError(message, context);
    else context?._message(message, at);
    if (message.type === "context.done" || message.type === "context.cancelled") {
      this.#outbox.over(message.handle ?? 0);
    }
    // That we send too much is told whenever it is so.
    if (ANSWERS.has(message.type) && message.code !== "rate_limited") this.#questions.take(message);
  }

  /** @param {unknown} tag */
  #takePong(tag) {
    if (typeof tag !== "string") return;
    this.#line.works();
    this.#outbox.pong(tag);
    this.#pulse.answered(this.#outbox.isProven);
    this.#questions.pong(tag);
  }

  /**
   * @param {ServerMessage} message
   * @param {number} at
   */
  #takeOpened(message, at) {
    const { context_id: id = "", handle = 0 } = message;
    this.#outbox.opened(id, handle);
    const context = this.#directory.opened(id, handle);
    if (context !== undefined) {
      context._opened(message, this.settings, at);
      return;
    }
    // Text has opened it that was meant for a context which the server had refused or ended by then.
    const latest = this.#directory.latest(id);
    if (latest === undefined || latest.handle === null) {
      this.#put({ type: "cancel", context_id: id });
    } else {
      latest._endedEarly();
      this.#put({ type: "end", context_id: id }); // a cancel would silence what is still heard of it
    }
  }

  /**
   * @param {ServerMessage} message
   * @param {Context | undefined} context
   */
  #takeError(message, context) {
    const error = told(message);
    const id = message.context_id;
    if (message.fatal) {
      this.#fatal = error;
    } else if (context !== undefined) {
      context._error(error);
    } else if (id !== undefined && message.handle === undefined) {
      this.#outbox.refused(id);
      const refused = this.#directory.refused(id);
      if (refused !== undefined) refused._fail(error);
      else this.#directory.latest(id)?._error(error);
    } else if (!this.#questions.hasUpdate || error.code === "rate_limited") {
      this.#tell("error", error);
    }
  }

  /** @param {ServerMessage} message */
  #takeClosing({ reason = "", drain_ms: drainMs = 0 }) {
    this.#goodbye = `the server closes it: ${reason}`;
    this.#tell("closing", { reason, drainMs });
  }

  #noteNews() {
    this.#lastActivity = performance.now();
    this.#line.works();
  }

  /**
   * @param {string} type
   * @param {string | ArrayBuffer} data
   */
  #noteReceived(type, data) {
    const at = performance.now();
    this.#pulse.heard(at);
    const bytes = typeof data === "string" ? utf8Bytes(data) : data.byteLength;
    this.#tell("received", { type, bytes, at });
    return at;
  }

  /**
   * @param {string} type
   * @param {unknown} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
