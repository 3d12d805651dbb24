// What the timeline shows, in words: for a place that is pointed at, for a table, and in one sentence.

import { bytes, duration } from "../format.js";

/** @typedef {import("./course.js").Course} Course */
/** @typedef {import("./view.js").RowName} RowName */
/** @typedef {{time: number, title: string, lines: string[]}} Fact `time` in ms from the first event */

/** Packets that came within so much of the time pointed at are told together, as a share of the time shown. */
const NEAR = 0.006;
const MOST_TEXT = 140;

/**
 * @param {Course} course
 * @param {RowName} row
 * @param {number} time ms
 * @param {number} span of the time shown, ms
 * @returns {Fact}
 */
export function factAt(course, row, time, span) {
  const found =
    row === "text"
      ? tokenAt(course, time)
      : row === "packets"
        ? packetsAt(course, time, span * NEAR)
        : row === "hand"
          ? handAt(course, time)
          : segmentAt(course, row, time);
  return found ?? { time, title: at(time), lines: [gapAt(course, time) ?? "nothing here"] };
}

/**
 * All that can be gone through by keys, in the order of time.
 *
 * @param {Course} course
 * @returns {Fact[]}
 */
export function factsOf(course) {
  const { log } = course;
  /** @type {Fact[]} */
  const facts = [];
  /** @type {(at: number, title: string, lines: string[]) => void} */
  const add = (moment, title, lines) => {
    if (!Number.isNaN(moment)) {
      facts.push({ time: course.since(moment), title, lines });
    }
  };
  add(log.firstTokenAt, "First text sent", [short(log.text)]);
  add(log.firstFrameAt, "First sound arrived", [
    after(log.firstFrameAt, log.firstTokenAt, "after the first text"),
  ]);
  add(log.playingAt, "First sound played", [after(log.playingAt, log.firstTokenAt, "after the first text")]);
  add(log.textEndedAt, "All text sent", [`${log.tokenCount} ${log.tokenCount === 1 ? "piece" : "pieces"}`]);
  log.segments.forEach((_, index) => {
    facts.push(segmentFact(course, index));
  });
  for (const gap of log.underruns.list) {
    add(gap.from, "Underrun", [
      Number.isNaN(gap.until) ? "no sound in hand" : `silent for ${duration(gap.until - gap.from)}`,
      `at ${duration(gap.position)} of the sound`,
    ]);
  }
  for (const wait of log.textWaits.list) {
    add(wait.from, "Waited for text", [
      Number.isNaN(wait.until) ? "all was said that could be" : `for ${duration(wait.until - wait.from)}`,
      `at ${duration(wait.position)} of the sound`,
    ]);
  }
  for (const outage of log.outages.list) {
    add(outage.from, "Connection lost", [
      Number.isNaN(outage.until) ? "not back yet" : `back after ${duration(outage.until - outage.from)}`,
    ]);
  }
  if (log.interrupted) {
    const from = log.cancelAskedAt;
    add(Number.isNaN(from) ? (log.cancelledWith?.at ?? from) : from, "Interrupted", interruptLines(course));
  }
  if (log.failedWith !== null) {
    add(log.failedWith.at, "Failed", [log.failedWith.message]);
  }
  add(log.playedAt, "Heard to its end", [`${duration(log.receivedMs)} of sound`]);
  return facts.sort((one, other) => one.time - other.time);
}

/**
 * @param {Course} course
 * @returns {string} one sentence for who cannot see the picture
 */
export function summaryOf({ log }) {
  if (Number.isNaN(log.firstAt)) {
    return "Timeline: nothing has been spoken yet.";
  }
  const count = log.segments.length;
  const parts = [`${count} ${count === 1 ? "segment" : "segments"}, ${duration(log.audioMs)} of sound`];
  if (!Number.isNaN(log.playingAt)) {
    parts.push(`first sound after ${duration(log.playingAt - log.firstTokenAt)}`);
    const { count: gaps, ms } = log.underruns;
    parts.push(
      gaps === 0 ? "no underrun" : `${gaps} ${gaps === 1 ? "underrun" : "underruns"}, ${duration(ms)}`,
    );
  }
  if (log.textWaits.count > 0) {
    const { count: waits, ms } = log.textWaits;
    parts.push(`waited for text ${waits} ${waits === 1 ? "time" : "times"}, ${duration(ms)}`);
  }
  if (log.outages.count > 0) {
    parts.push(`connection lost ${log.outages.count} ${log.outages.count === 1 ? "time" : "times"}`);
  }
  if (log.interrupted) {
    parts.push(`interrupted at ${duration(log.heardMs)}`);
  }
  return `Timeline: ${parts.join("; ")}.`;
}

/**
 * @param {Course} course
 * @returns {string[][]} one row for each segment, as `COLUMNS` are named
 */
export function tableOf(course) {
  return course.log.segments.map((segment, index) => {
    const leg = course.leg(index);
    return [
      segment.text,
      span(leg.textFrom, leg.textUntil),
      moment(leg.madeFrom),
      span(leg.cameFrom, leg.cameUntil),
      leg.heard ? span(leg.soundFrom, leg.heardUntil) : course.log.over ? "not heard" : "not yet",
    ];
  });
}

/** What the columns of `tableOf` hold. */
export const COLUMNS = ["Segment", "Text sent", "Told by the server", "Sound arrived", "Heard"];

/** @type {(course: Course, time: number) => Fact | null} */
function tokenAt(course, time) {
  const { tokens, text } = course.log;
  if (tokens.length === 0) {
    return null;
  }
  const absolute = time + course.zero;
  const later = tokens.search("at", absolute);
  const before = absolute - tokens.at("at", later - 1);
  const row = later < tokens.length && !(before <= tokens.at("at", later) - absolute) ? later : later - 1;
  const begin = row === 0 ? 0 : tokens.at("end", row - 1);
  const count = tokens.at("count", row);
  const moment = course.since(tokens.at("at", row));
  const title = count > 1 ? `${count} pieces of text sent` : "Text sent";
  return {
    time: moment,
    title: `${title} ${at(moment)}`,
    lines: [short(text.slice(begin, tokens.at("end", row)))],
  };
}

/** @type {(course: Course, time: number, near: number) => Fact | null} */
function packetsAt(course, time, near) {
  const { frames } = course.log;
  let count = 0;
  let size = 0;
  let end = 0;
  for (let row = frames.search("at", time - near + course.zero); row < frames.length; row += 1) {
    if (course.since(frames.at("at", row)) > time + near) {
      break;
    }
    count += frames.at("count", row);
    size += frames.at("bytes", row);
    end = frames.at("end", row);
  }
  if (count === 0) {
    return null;
  }
  const title = `${count} ${count === 1 ? "packet" : "packets"} arrived ${at(time)}`;
  return { time, title, lines: [bytes(size), `sound up to ${duration(end)}`] };
}

/** @type {(course: Course, time: number) => Fact | null} */
function handAt(course, time) {
  const { points } = course.log.hand;
  const row = points.search("at", time + course.zero);
  const [from, until] = [points.at("at", row - 1), points.at("at", row)];
  if (Number.isNaN(from) || Number.isNaN(until)) {
    return null;
  }
  const share = until > from ? (time + course.zero - from) / (until - from) : 1;
  const held = points.at("held", row - 1) * (1 - share) + points.at("held", row) * share;
  return {
    time,
    title: `${duration(held)} in hand ${at(time)}`,
    lines: ["sound that had come and was not yet heard"],
  };
}

/** @type {(course: Course, row: RowName, time: number) => Fact | null} */
function segmentAt(course, row, time) {
  let nearest = -1;
  for (let index = 0; index < course.log.segments.length; index += 1) {
    const leg = course.leg(index);
    const [from, until] = row === "made" ? [leg.madeFrom, leg.cameUntil] : [leg.soundFrom, leg.soundUntil];
    // Of several that were made in no time at all the last is what one sees.
    if (from <= time && (time <= until || row === "made")) {
      nearest = index;
    }
  }
  if (nearest < 0 || (row !== "made" && gapAt(course, time) !== null)) {
    return null;
  }
  const fact = segmentFact(course, nearest);
  const waits =
    row === "made" &&
    course.log.waits.list.some((wait) => {
      return course.since(wait.from) <= time && !(course.since(wait.until) < time);
    });
  const lines = waits ? ["the server waits: there is enough sound in hand", ...fact.lines] : fact.lines;
  return { ...fact, time, lines };
}

/** @type {(course: Course, index: number) => Fact} */
function segmentFact(course, index) {
  const leg = course.leg(index);
  const lines = [`text sent ${span(leg.textFrom, leg.textUntil)}`, `told by the server ${at(leg.madeFrom)}`];
  if (!Number.isNaN(leg.cameFrom)) {
    lines.push(`sound arrived ${span(leg.cameFrom, leg.cameUntil)}`);
  }
  if (leg.heard) {
    lines.push(`heard ${span(leg.soundFrom, leg.heardUntil)}`);
  } else if (course.log.over) {
    lines.push("not heard");
  }
  return { time: leg.madeFrom, title: short(leg.segment.text), lines };
}

/** @type {(course: Course, time: number) => string | null} */
function gapAt(course, time) {
  const inside = course.log.underruns.list.find((gap) => {
    return course.since(gap.from) <= time && !(course.since(gap.until) < time);
  });
  if (inside !== undefined) {
    return Number.isNaN(inside.until)
      ? "underrun"
      : `underrun: silent for ${duration(inside.until - inside.from)}`;
  }
  const wait = course.log.textWaits.list.find((each) => {
    return course.since(each.from) <= time && !(course.since(each.until) < time);
  });
  if (wait !== undefined) {
    return Number.isNaN(wait.until)
      ? "waiting for text"
      : `waited for text: ${duration(wait.until - wait.from)}`;
  }
  const outage = course.log.outages.list.find((each) => {
    return course.since(each.from) <= time && !(course.since(each.until) < time);
  });
  return outage === undefined ? null : "no connection";
}

/** @param {Course} course */
function interruptLines({ log }) {
  const lines = [`heard ${duration(log.heardMs)} of ${duration(log.audioMs)}`];
  if (!Number.isNaN(log.silentAt)) {
    lines.push(`silent after ${duration(log.silentAt - log.cancelAskedAt)}`);
  }
  if (log.cancelledWith !== null && !Number.isNaN(log.cancelAskedAt)) {
    lines.push(`the server answered after ${duration(log.cancelledWith.at - log.cancelAskedAt)}`);
  }
  return lines;
}

/** @type {(time: number, from: number, what: string) => string} */
function after(time, from, what) {
  return Number.isNaN(from) ? "" : `${duration(time - from)} ${what}`;
}

/** @param {number} time */
function at(time) {
  return `at ${moment(time)}`;
}

/** @param {number} time */
function moment(time) {
  return Number.isNaN(time) ? "–" : duration(Math.max(0, time));
}

/** @type {(from: number, until: number) => string} */
function span(from, until) {
  const [first, last] = [moment(from), moment(until)];
  return first === last || Number.isNaN(until) ? first : `${first} – ${last}`;
}

/** @param {string} text */
function short(text) {
  const characters = [...text.trim().slice(0, 4 * MOST_TEXT)];
  return characters.length > MOST_TEXT ? `${characters.slice(0, MOST_TEXT).join("")}…` : characters.join("");
}
