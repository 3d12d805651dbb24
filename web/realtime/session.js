import { Context, handled, rangedCancelled } from "./context.js";
import { Directory } from "./directory.js";
import { RealtimeError, told } from "./errors.js";
import { Exchange } from "./exchange.js";
import { checkOpening } from "./settings.js";
import { ALL, addressOf } from "./wire.js";

/** @import {Cancelled, Ready, SessionState} from "../realtime.js" */
/** @import {Link} from "./context.js" */
/** @import {ServerMessage} from "./wire.js" */

const STALL_MS = 10_000;
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
  #exchange;
  /** @type {Link} */
  #link;
  #directory = new Directory();
  #opened = 0;
  #isClosing = false;
  /** Why the server will close. */
  #goodbye = "";
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
    /** @type {Promise<Ready>} */
    this.ready = handled(
      new Promise((resolve, reject) => {
        this.#begin = resolve;
        this.#refuse = reject;
      }),
    );
    const first = { ...start, type: "session.start" };
    /** Of its socket. */
    this._address = addressOf(url);
    this.#exchange = new Exchange(
      this._address,
      apiKey,
      first,
      { resume, stallMs },
      {
        ready: (ready) => {
          this.#setState("open");
          this.#begin(ready);
        },
        resumed: (ready, endedEarly) => this.#takeUp(ready, endedEarly),
        frame: (frame, at) => this.#directory.get(frame.handle)?._frame(frame, at),
        message: (message, at) => this.#take(message, at),
        lost: (retryInMs, reason) => this.#setState("lost", { retryInMs, reason }),
        closed: (error, reason) => this.#closed(error, reason),
        waits: () => this.#unfinished().length > 0,
        traffic: (way, type, bytes, at) => this.#tell(way, { type, bytes, at }),
      },
    );
    this.#link = {
      put: (message) => this.#exchange.put(message),
      ask: (message) => this.#exchange.ask(message),
      over: () => this.#exchange.over,
      maxTextBytes: () => this.#maxTextBytes,
    };
  }

  get settings() {
    return this.#exchange.settings;
  }

  // -- what is asked for --------------------------------------------------------------------------------

  /** @param {{context_id?: string | undefined, on_conflict?: string | undefined}} [settings] */
  open(settings = {}) {
    if (this.#exchange.over !== null) throw this.#exchange.over;
    const opening = { ...settings, context_id: settings.context_id ?? `context-${++this.#opened}` };
    checkOpening(opening);
    // While an update is under way, the settings that will be in force are not known.
    const asked = this.#exchange.isUpdating ? null : this.settings;
    const context = new Context(this.#link, opening.context_id, asked);
    if (opening.on_conflict === "preempt") this.#preempt(context);
    this.#directory.expect(context);
    this.#exchange.put({ ...opening, type: "context.open" });
    return context;
  }

  /**
   * @param {object} settings
   * @returns {Promise<Ready>}
   */
  async update(settings) {
    let refusal = null;
    for (const answer of await this.#exchange.ask({ ...settings, type: "session.update" })) {
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
    return handled(this.#cancelAll(Number.isFinite(playedMs) ? playedMs : undefined));
  }

  async ping() {
    for (;;) {
      const begun = performance.now();
      const resumed = this.resumed;
      await this.#exchange.ask(null);
      // Else the way was measured that led nowhere.
      if (this.resumed === resumed) return performance.now() - begun;
    }
  }

  /** @param {{drain?: boolean | undefined}} [options] */
  close({ drain = true } = {}) {
    this.#isClosing = true;
    const waits = drain && this.#unfinished().length > 0;
    if (this.state !== "open" && !waits) this.#exchange.leave();
    else this.#exchange.put({ type: "session.close", drain });
    return this.#ended;
  }

  /** @param {number | undefined} played_ms */
  async #cancelAll(played_ms) {
    const silenced = this.#silenceAll();
    const answers = await this.#exchange.ask({ type: "cancel", context_id: ALL, played_ms });
    // One that was heard to its end before has no answer.
    for (const context of silenced) context._tellDone();
    const at = performance.now();
    return answers
      .filter((answer) => answer.type === "context.cancelled" && answer.context_id !== ALL)
      .map((answer) => rangedCancelled(answer, at));
  }

  /** From here on nothing is heard of the contexts there are. */
  #silenceAll() {
    const contexts = this.#unfinished();
    for (const context of contexts) context._silence();
    return contexts;
  }

  /**
   * The server cancels all contexts when it opens this one. When it does not, it is asked to: nobody hears them
   * any more.
   * @param {Context} context
   */
  #preempt(context) {
    const silenced = this.#silenceAll();
    const opened = () => {
      for (const one of silenced) one._tellDone();
    };
    const failed = () => {
      if (context.handle === null && this.#exchange.over === null) for (const one of silenced) one.cancel();
    };
    context.addEventListener("opened", opened, { once: true });
    context.finished.catch(failed);
  }

  #unfinished() {
    return this.#directory.all().filter((context) => !context._isOver);
  }

  get #maxTextBytes() {
    const limits = this.settings?.limits;
    if (limits === undefined) return SMALL_TEXT_BYTES;
    const fits = Math.floor((limits.message_bytes - JSON_AROUND) / JSON_GROWTH);
    return Math.max(4, Math.min(limits.text_bytes_per_message, fits));
  }

  // -- its life -----------------------------------------------------------------------------------------

  /**
   * @param {Ready} ready
   * @param {Set<number>} endedEarly
   */
  #takeUp(ready, endedEarly) {
    this.resumed++;
    this.#directory.endedEarly(endedEarly);
    this.#setState("open");
    this.#tell("resumed", { contexts: ready.contexts ?? [] });
  }

  /**
   * @param {RealtimeError | null} error
   * @param {string} reason
   */
  #closed(error, reason) {
    const over = this.#exchange.over;
    if (over === null) return;
    this.state = "closed"; // who is told of an error sees whether it was the end
    this.#refuse(over);
    for (const context of this.#directory.all()) context._fail(over);
    if (error !== null) this.#tell("error", error);
    this.#setState("closed", { reason: error?.message ?? this.#reasonOf(reason) });
    this.#end();
  }

  /** Of an end that was in order. @param {string} reason */
  #reasonOf(reason) {
    return this.#isClosing ? "closed here" : this.#goodbye || reason;
  }

  /**
   * @param {SessionState} state
   * @param {{retryInMs?: number, reason?: string}} [more]
   */
  #setState(state, more = {}) {
    this.state = state;
    this.#tell("state", { state, ...more });
  }

  // -- what comes in ------------------------------------------------------------------------------------

  /**
   * @param {ServerMessage} message
   * @param {number} at
   */
  #take(message, at) {
    const context = message.handle ? this.#directory.get(message.handle) : undefined;
    if (message.type === "session.closing") this.#takeClosing(message);
    else if (message.type === "context.opened") this.#takeOpened(message, at);
    else if (message.type === "error") this.#takeError(message, context);
    else if (message.type === "track") this.#tell("track", { state: message.state, at });
    else context?._message(message, at);
  }

  /**
   * @param {ServerMessage} message
   * @param {number} at
   */
  #takeOpened(message, at) {
    const { context_id: id = "", handle = 0 } = message;
    const context = this.#directory.opened(id, handle);
    if (context !== undefined) {
      context._opened(message, this.settings, this.resumed > 0, at);
      return;
    }
    // Text has opened it that was meant for a context which the server had refused or ended by then.
    const latest = this.#directory.latest(id);
    if (latest === undefined || latest.handle === null) {
      this.#exchange.put({ type: "cancel", context_id: id });
    } else {
      latest._endedEarly();
      this.#exchange.put({ type: "end", context_id: id }); // a cancel would silence what is still heard of it
    }
  }

  /**
   * @param {ServerMessage} message
   * @param {Context | undefined} context
   */
  #takeError(message, context) {
    const error = told(message);
    const id = message.context_id;
    if (context !== undefined) {
      context._error(error);
    } else if (id !== undefined && message.handle === undefined) {
      this.#exchange.refused(id);
      const refused = this.#directory.refused(id);
      if (refused !== undefined) refused._fail(error);
      else this.#directory.latest(id)?._error(error);
    } else if (!this.#exchange.isUpdating || error.code === "rate_limited") {
      this.#tell("error", error);
    }
  }

  /** @param {ServerMessage} message */
  #takeClosing({ reason = "", drain_ms: drainMs = 0 }) {
    this.#goodbye = reason;
    this.#tell("closing", { reason, drainMs });
  }

  /**
   * @param {string} type
   * @param {unknown} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
