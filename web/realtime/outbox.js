import { takeFirst } from "./directory.js";
import { countPoints, fromPoint } from "./units.js";
import { ALL } from "./wire.js";

/** @import {ContextReport} from "../realtime.js" */
/** @import {ClientMessage} from "./wire.js" */

/** After so many messages, or UTF-16 units of text, a ping of our own has the server say that it has them. */
const MARK_MESSAGES = 64;
const MARK_UNITS = 16 * 1024;
/** States in which the server takes no more text of a context, although nothing has gone wrong with it. */
const ENDED = ["ending", "done"];
/** Messages that are about the context that was opened last with their id. */
const OF_CONTEXT = new Set(["text", "flush", "end", "playback"]);

/**
 * A context, from its opening on; `points` are code points of its text so far.
 * @typedef {{id: string, handle: number | null, points: number, over: boolean}} Channel
 */

/**
 * A message; null in its place when it is not to be sent (again). `start`: where a text stands in its context, in
 * code points; `tag`: of the question that it belongs to; `opens`: the id of the context that it opens.
 * @typedef {object} Entry
 * @property {number} number
 * @property {ClientMessage | null} message
 * @property {Channel | undefined} channel
 * @property {number} start
 * @property {string | undefined} tag
 * @property {string | undefined} opens
 */

/**
 * What the server's report says beyond what is sent again: handles of contexts that it has ended before all their
 * text came, and of those that are cancelled.
 * @typedef {{endedEarly: Set<number>, cancelled: Set<number>}} Resumption
 */

/**
 * What was sent and may not have arrived, to be sent again when a lost session is taken up. No I/O, no clock.
 *
 * A connection loses nothing in the middle: the server has received all messages up to one, and none behind it.
 * Which one that is can never be told exactly. The rules:
 *
 * 1. What proves that a message has arrived proves it of all before it. Proofs are the `pong` to a ping behind
 *    it, and the server's report of its contexts: that one is known, and how much of its text has come.
 * 2. What is proven is forgotten. What is not is sent again, in the old order: a flush comes at the same place
 *    of the text. Text is cut by what the server has, to the character, and a context is opened only if the
 *    server does not know it. All other messages may come twice: a second one changes nothing.
 * 3. A message that is still to be answered, though it has arrived, is asked again, if that changes nothing: an
 *    update together with those behind it; a cancel unless its id has been opened again since. The answer to
 *    such a cancel is among the messages that the server repeats.
 * 4. Nothing is sent to a context that is over: text for it would open another one.
 */
export class Outbox {
  #keeps = true;
  /** @type {Entry[]} */
  #entries = [];
  /** @type {Entry[]} */
  #unsent = [];
  #numbers = 0;
  /** All up to this number have arrived. */
  #proven = 0;
  /** @type {Set<string>} */
  #unanswered = new Set();
  /** @type {Map<string, number>} */
  #pings = new Map();
  #marks = 0;
  #unmarkedMessages = 0;
  #unmarkedUnits = 0;
  /** @type {Map<string, Channel>} */
  #latest = new Map();
  /** @type {Channel[]} */
  #unopened = [];
  /** @type {Map<number, Channel>} */
  #byHandle = new Map();
  /** Handles grow: those up to this one have been told. */
  #highest = 0;

  /** The session cannot be taken up again: nothing that was sent is kept. */
  forgetSent() {
    this.#keeps = false;
    this.#entries = [];
  }

  /**
   * One more message; `tag`: it belongs to this question.
   * @param {ClientMessage} message
   * @param {string} [tag]
   */
  put(message, tag) {
    const id = message.context_id ?? "";
    /** @type {Entry} */
    const entry = { number: ++this.#numbers, message, channel: undefined, start: 0, tag, opens: undefined };
    if (message.type === "context.open") {
      entry.opens = id;
      entry.channel = { id, handle: null, points: 0, over: false };
      this.#latest.set(id, entry.channel);
      this.#unopened.push(entry.channel);
    } else if (OF_CONTEXT.has(message.type)) {
      entry.channel = this.#latest.get(id);
    }
    if (message.type === "text" && entry.channel !== undefined) {
      entry.start = entry.channel.points;
      entry.channel.points += countPoints(message.text ?? "");
    } else if (message.type === "playback") {
      // Only the last report of where the listener is counts.
      this.#drop(entry.channel, (type) => type === "playback");
    }
    this.#add(entry);
  }

  /**
   * A question: a message, and behind it a ping whose `pong` says that all answers have come.
   * @param {ClientMessage | null} message
   * @param {string} tag
   */
  ask(message, tag) {
    this.#unanswered.add(tag);
    if (message !== null) this.put(message, tag);
    this.#ping(tag);
  }

  /** Have the server say that it has all up to here. */
  mark() {
    this.#ping(`mark-${++this.#marks}`);
  }

  /** The next message to write; null when there is none. While the connection is lost, take none. */
  take() {
    for (;;) {
      const entry = this.#unsent.shift();
      if (entry === undefined) return null;
      if (entry.message !== null) return entry.message;
    }
  }

  /** Whether all that was put has arrived, as far as it is kept. */
  get isProven() {
    return this.#entries.length === 0;
  }

  /** The answer to a ping: all before it has arrived. @param {string} tag */
  pong(tag) {
    this.#unanswered.delete(tag);
    const number = this.#pings.get(tag) ?? 0;
    this.#pings.delete(tag);
    this.#proven = Math.max(this.#proven, number);
    this.#trim();
  }

  /**
   * The server has opened a context: the oldest under this id that it had not.
   * @param {string} id
   * @param {number} handle
   */
  opened(id, handle) {
    this.#highest = Math.max(this.#highest, handle);
    const channel = takeFirst(this.#unopened, id);
    if (channel === undefined) return;
    channel.handle = handle;
    this.#byHandle.set(handle, channel);
  }

  /** The server does not open the oldest under this id that it had not opened. @param {string} id */
  refused(id) {
    const channel = takeFirst(this.#unopened, id);
    if (channel !== undefined) this.#end(channel);
  }

  /** A context is done or cancelled. @param {number} handle */
  over(handle) {
    const channel = this.#byHandle.get(handle);
    if (channel === undefined) return;
    this.#byHandle.delete(handle);
    this.#end(channel);
  }

  /**
   * The session goes on, on a new connection: `take` begins with what may be lost.
   * @param {ContextReport[]} contexts what the server says of all that it knows; characters are code points
   * @returns {Resumption}
   */
  resumed(contexts) {
    const reports = this.#matched(contexts);
    for (const entry of this.#entries) {
      const report = entry.channel && reports.get(entry.channel);
      if (report !== undefined && hasArrived(entry, report)) {
        this.#proven = Math.max(this.#proven, entry.number);
      }
    }
    this.#trim();
    /** @type {Set<number>} */
    const endedEarly = new Set();
    let updatesAgain = false;
    for (const entry of this.#entries) {
      const arrived = entry.number <= this.#proven;
      if (entry.message?.type === "session.update") {
        updatesAgain ||= !arrived || this.#isUnanswered(entry);
        if (!updatesAgain) entry.message = null;
      } else if (arrived) {
        if (!this.#mayBeAskedAgain(entry)) entry.message = null;
      } else if (entry.channel !== undefined) {
        cut(entry, entry.channel, reports.get(entry.channel), endedEarly);
      }
    }
    this.#unsent = [...this.#entries];
    const cancelled = contexts.filter(({ state }) => state === "cancelled").map(({ handle }) => handle);
    return { endedEarly, cancelled: new Set(cancelled) };
  }

  /** @param {Entry} entry */
  #add(entry) {
    this.#append(entry);
    this.#unmarkedMessages++;
    this.#unmarkedUnits += entry.message?.text?.length ?? 0;
    const full = this.#unmarkedMessages >= MARK_MESSAGES || this.#unmarkedUnits >= MARK_UNITS;
    if (this.#keeps && full && entry.tag === undefined) this.mark(); // behind a question comes its ping
  }

  /** @param {string} tag */
  #ping(tag) {
    this.#unmarkedMessages = 0;
    this.#unmarkedUnits = 0;
    const number = ++this.#numbers;
    this.#pings.set(tag, number);
    const message = { type: "ping", t: tag };
    this.#append({ number, message, channel: undefined, start: 0, tag, opens: undefined });
  }

  /** @param {Entry} entry */
  #append(entry) {
    this.#unsent.push(entry);
    if (this.#keeps) this.#entries.push(entry);
  }

  /**
   * Of what a context was sent, messages of some types are not needed any more.
   * @param {Channel | undefined} channel
   * @param {(type: string) => boolean} isDropped
   */
  #drop(channel, isDropped) {
    for (const entries of [this.#entries, this.#unsent]) {
      for (const entry of entries) {
        if (entry.channel !== channel || entry.message === null) continue;
        if (isDropped(entry.message.type)) entry.message = null;
      }
    }
  }

  /** What it was sent is not needed any more. @param {Channel} channel */
  #end(channel) {
    channel.over = true;
    if (this.#latest.get(channel.id) === channel && channel.handle === null) this.#latest.delete(channel.id);
    this.#drop(channel, (type) => type !== "playback");
  }

  #trim() {
    let count = 0;
    for (const entry of this.#entries) {
      if (entry.number > this.#proven || this.#isUnanswered(entry)) break;
      if (entry.message?.type === "ping" && entry.tag !== undefined) this.#pings.delete(entry.tag);
      count++;
    }
    this.#entries.splice(0, count);
  }

  /** @param {Entry} entry */
  #isUnanswered(entry) {
    return entry.tag !== undefined && this.#unanswered.has(entry.tag);
  }

  /**
   * Which report is about which context; those that were never told about go by id and order.
   * @param {ContextReport[]} contexts
   */
  #matched(contexts) {
    const waiting = [...this.#unopened];
    /** @type {Map<Channel, ContextReport>} */
    const reports = new Map();
    for (const report of [...contexts].sort((one, other) => one.handle - other.handle)) {
      let channel = this.#byHandle.get(report.handle);
      if (channel === undefined && report.handle > this.#highest) {
        channel = takeFirst(waiting, report.context_id);
      }
      if (channel !== undefined) reports.set(channel, report);
    }
    return reports;
  }

  /** Whether a message that has arrived is sent once more, for its answer was lost. @param {Entry} entry */
  #mayBeAskedAgain(entry) {
    if (!this.#isUnanswered(entry)) return false;
    if (entry.message?.type !== "cancel") return entry.message?.type === "ping";
    const named = entry.message.context_id;
    return !this.#entries.some(
      ({ opens, number }) =>
        opens !== undefined &&
        entry.number < number &&
        number <= this.#proven &&
        (named === opens || named === ALL),
    );
  }
}

/**
 * Whether the server's report about a message's context proves that it has the message. That a context is not
 * open any more proves nothing about its `end`: the server may have ended it.
 * @param {Entry} entry
 * @param {ContextReport} report
 */
function hasArrived({ message, start }, report) {
  if (message?.type === "context.open") return true;
  if (message?.type !== "text" || !message.text) return false;
  return start + countPoints(message.text) <= report.text_received;
}

/**
 * Leave of a message what the server does not have, and takes.
 * @param {Entry} entry
 * @param {Channel} channel
 * @param {ContextReport | undefined} report
 * @param {Set<number>} endedEarly
 */
function cut(entry, channel, report, endedEarly) {
  const message = entry.message;
  if (message === null || message.type === "playback") return;
  if (channel.over) {
    entry.message = null;
  } else if (report === undefined) {
    if (channel.handle !== null) entry.message = null; // the server has forgotten it
  } else if (report.state !== "open") {
    if (message.type === "text" && ENDED.includes(report.state)) endedEarly.add(report.handle);
    entry.message = null;
  } else if (message.type === "text") {
    const had = Math.max(0, report.text_received - entry.start);
    const missing = fromPoint(message.text ?? "", had);
    entry.start += had;
    entry.message = missing === "" ? null : { ...message, text: missing };
  }
}
