// The rows of the timeline, drawn: text, synthesis, packets, speech, what plays, sound in hand.

import { lastAtOrBefore } from "./course.js";

/** @typedef {import("./brush.js").Brush} Brush */
/** @typedef {import("./course.js").Course} Course */
/** @typedef {import("./course.js").Leg} Leg */
/** @typedef {import("./style.js").Colours} Colours */
/** @typedef {import("./view.js").View} View */
/** @typedef {import("./view.js").Row} Row */
/** @typedef {import("./view.js").RowName} RowName */

/**
 * @typedef {object} Scene all that is needed to draw
 * @property {Brush} brush
 * @property {Colours} colours
 * @property {View} view
 * @property {Record<RowName, Row>} rows
 * @property {Course} course
 * @property {Leg[]} legs those that can be seen
 */

/** Packets are put together in columns of so many CSS pixels. */
const COLUMN = 3;
/** From so many CSS pixels a second each word stands where it sounds. */
const WORDS_FROM = 100;
/** From so many CSS pixels for each piece of text it is told what it was. */
const TOKEN_ROOM = 34;
const MOST_HAND_LABELS = 2;

/** @type {(colours: Colours, index: number) => string} */
export function segmentColour(colours, index) {
  return colours.segments[index % colours.segments.length] ?? colours.ink;
}

/** Each segment's way from its text to its sound. @param {Scene} scene */
export function drawRibbons({ brush, colours, view, rows, legs }) {
  for (const leg of legs) {
    const colour = segmentColour(colours, leg.segment.index);
    const made = stretch(view, leg.madeFrom, orElse(leg.cameUntil, leg.madeFrom));
    if (!Number.isNaN(leg.textFrom)) {
      const text = stretch(view, leg.textFrom, orElse(leg.textUntil, leg.textFrom));
      brush.ribbon([...text, bottom(rows.text)], [...made, rows.made.y], colour, 0.2);
    }
    if (!Number.isNaN(leg.soundFrom)) {
      const came = stretch(view, leg.cameFrom, leg.cameUntil);
      const sound = stretch(view, leg.soundFrom, leg.soundUntil);
      brush.ribbon([...came, bottom(rows.packets)], [...sound, rows.speech.y], colour, leg.heard ? 0.2 : 0.1);
    }
  }
}

/** The pieces of text, when each left. @param {Scene} scene */
export function drawText({ brush, colours, view, rows, course }) {
  const { tokens, text } = course.log;
  const { y, height } = rows.text;
  const from = tokens.search("until", view.from + course.zero);
  const until = Math.min(tokens.length, tokens.search("at", view.until + course.zero) + 1);
  const first = view.x(course.since(tokens.at("at", from)));
  const room = (view.x(course.since(tokens.at("at", until - 1))) - first) / Math.max(1, until - from - 1);
  const told = until - from === 1 || room >= TOKEN_ROOM;
  let last = Number.NEGATIVE_INFINITY;
  for (let row = from; row < until; row += 1) {
    const x = view.x(course.since(tokens.at("at", row)));
    const begin = row === 0 ? 0 : tokens.at("end", row - 1);
    const end = tokens.at("end", row);
    const index = course.segmentOfText(begin + leadingSpace(text.slice(begin, end)));
    const colour =
      index < 0 ? colours.muted : segmentColour(colours, course.log.segments[index]?.index ?? index);
    if (x - last >= 1.5) {
      brush.context.globalAlpha = 1;
      brush.upright(x, y, y + height, colour, 2);
      last = x;
    }
    if (!told) {
      continue;
    }
    const next =
      row + 1 < tokens.length ? view.x(course.since(tokens.at("at", row + 1))) : view.left + view.width;
    const label = brush.fit(text.slice(begin, Math.min(end, begin + 300)).trim(), next - x - 10);
    if (label !== "") {
      brush.text(label, x + 6, y + height / 2 + 0.5, colours.ink);
    }
  }
}

/** When each segment was told, and until when its sound came. @param {Scene} scene */
export function drawSynthesis({ brush, colours, view, rows, course, legs }) {
  const { y, height } = rows.made;
  for (const { segment, madeFrom, cameUntil } of legs) {
    const [from, until] = stretch(view, madeFrom, orElse(cameUntil, madeFrom), 3);
    brush.round(from, y, until - from, height, 3, segmentColour(colours, segment.index), 0.9);
  }
  for (const wait of course.log.waits.list) {
    const until = Number.isNaN(wait.until) ? course.now : course.since(wait.until);
    const from = view.x(course.since(wait.from));
    brush.hatched(from, y, view.x(until) - from, height, colours.paper, 0.75);
  }
}

/** The sound as it came: the higher, the more in that time. @param {Scene} scene */
export function drawPackets({ brush, colours, view, rows, course }) {
  const { frames } = course.log;
  const { y, height } = rows.packets;
  brush.box(view.left, y + height - 1, view.width, 1, colours.line);
  const first = frames.search("until", view.from + course.zero);
  const span = view.until - view.from;
  // A packet that comes when it is needed has this share of a column; more of them at a time are a burst.
  const columnMs = (span / view.width) * COLUMN;
  let row = first;
  while (row < frames.length) {
    const at = course.since(frames.at("at", row));
    if (at > view.until) {
      break;
    }
    const column = Math.floor(view.x(at) / COLUMN);
    let bytes = 0;
    let end = 0;
    while (
      row < frames.length &&
      Math.floor(view.x(course.since(frames.at("at", row))) / COLUMN) === column
    ) {
      bytes += frames.at("bytes", row);
      end = frames.at("end", row);
      row += 1;
    }
    const spread = Math.max(columnMs, 20);
    const share = Math.log1p(bytes / spread) / Math.log1p(4000);
    const tall = Math.max(3, Math.min(1, share) * height);
    const index = course.segmentOfSound(Math.max(0, end - 0.01));
    const colour =
      index < 0 ? colours.muted : segmentColour(colours, course.log.segments[index]?.index ?? index);
    brush.box(column * COLUMN, y + height - tall, COLUMN - 1, tall, colour, 0.9);
  }
}

/** The segments where they sound, with their text; what was heard is darker. @param {Scene} scene */
export function drawSpeech(scene) {
  const { brush, colours, view, rows, course, legs } = scene;
  const { y, height } = rows.speech;
  const { log } = course;
  const heardUntil =
    log.sounding.spans.length > 0 ? view.x(course.soundTime(log.heardMs)) : Number.NEGATIVE_INFINITY;
  const now = course.live && log.sounding.open ? view.x(course.now) : heardUntil;
  const words = (view.width / (view.until - view.from)) * 1000 >= WORDS_FROM;
  for (const leg of legs) {
    if (Number.isNaN(leg.soundFrom)) {
      continue;
    }
    const colour = segmentColour(colours, leg.segment.index);
    const [from, until] = stretch(view, leg.soundFrom, leg.soundUntil, 2);
    const width = until - from - (until - from > 6 ? 1 : 0);
    const lost = log.interrupted && leg.soundUntil > course.since(log.cancelAskedAt);
    brush.round(from, y, width, height, 4, colour, lost ? 0.07 : 0.16);
    const heard = Math.min(width, now - from);
    if (heard > 0.5) {
      brush.round(from, y, heard, height, 4, colour, 0.34);
    }
    brush.frame(
      from,
      y,
      width,
      height,
      4,
      colour,
      lost && heard < width - 1 ? 0.55 : 0.9,
      lost && heard < width - 1,
    );
    if (!words || !drawWords(scene, leg, now)) {
      const left = Math.max(from, view.left);
      const room = Math.min(from + width, view.left + view.width) - left - 10;
      const label = brush.fit(leg.segment.text, room);
      brush.text(label, left + 5, y + height / 2 + 0.5, heard >= width ? colours.ink : colours.muted);
      if (heard > 0 && heard < width && label !== "") {
        brush.within(from, y, heard, height, () => {
          brush.text(label, left + 5, y + height / 2 + 0.5, colours.ink);
        });
      }
    }
  }
}

/** @type {(scene: Scene, leg: Leg, now: number) => boolean} whether there were any */
function drawWords({ brush, colours, view, rows, course }, { segment, soundFrom, soundUntil }, now) {
  const { wordList, text } = course.log;
  const { y, height } = rows.speech;
  const after = lastAtOrBefore(wordList, segment.startMs, (word) => word.startMs);
  let any = false;
  brush.context.save();
  brush.context.beginPath();
  brush.context.rect(view.x(soundFrom), y, view.x(soundUntil) - view.x(soundFrom), height);
  brush.context.clip();
  let taken = Number.NEGATIVE_INFINITY;
  for (let index = Math.max(0, after); index < wordList.length; index += 1) {
    const word = wordList[index];
    if (word === undefined || word.range[0] >= segment.range[1]) {
      break;
    }
    const time = course.soundTime(word.startMs);
    if (word.range[0] < segment.range[0] || time > soundUntil) {
      continue;
    }
    any = true;
    const x = view.x(time);
    // Where one word takes more room than it sounds, the next stands behind it.
    const left = Math.max(x + 4, taken);
    const label = text.slice(word.range[0], word.range[1]);
    brush.text(label, left, y + height / 2 + 0.5, x <= now ? colours.ink : colours.muted);
    taken = left + brush.measure(label) + 3;
  }
  brush.context.restore();
  return any;
}

/** When there was sound, and when there should have been. @param {Scene} scene */
export function drawPlaying({ brush, colours, view, rows, course }) {
  const { y, height } = rows.playing;
  const { log } = course;
  brush.round(view.left, y, view.width, height, 4, colours.line, 0.6);
  log.sounding.spans.forEach((span, index) => {
    const open = log.sounding.open && index === log.sounding.spans.length - 1;
    const [from, until] = stretch(
      view,
      course.since(span.at),
      open ? course.now : course.since(span.until),
      2,
    );
    brush.round(from, y, until - from, height, 4, colours.sound, 0.85);
  });
  for (const wait of log.textWaits.list) {
    const until = Number.isNaN(wait.until) ? course.now : course.since(wait.until);
    const [from, to] = stretch(view, course.since(wait.from), until, 3);
    brush.box(from, y + height / 2 - 1, to - from, 2, colours.wait);
  }
  for (const gap of log.underruns.list) {
    const until = Number.isNaN(gap.until) ? course.now : course.since(gap.until);
    const [from, to] = stretch(view, course.since(gap.from), until, 3);
    const top = rows.speech.y - 3;
    brush.hatched(from, top, to - from, y + height - top, colours.gap, 0.7);
    brush.box(from, y, to - from, height, colours.gap);
  }
}

/** Sound that has come and was not yet heard. @param {Scene} scene */
export function drawHand({ brush, colours, view, rows, course }) {
  const { y, height } = rows.hand;
  const { points } = course.log.hand;
  const base = y + height;
  let most = 0;
  for (let row = 0; row < points.length; row += 1) {
    most = Math.max(most, points.at("held", row));
  }
  const top = niceAbove(most);
  for (let line = 1; line <= MOST_HAND_LABELS; line += 1) {
    const ms = (top * line) / MOST_HAND_LABELS;
    brush.box(view.left, base - (ms / top) * height, view.width, 1, colours.line, 0.8);
  }
  brush.box(view.left, base, view.width, 1, colours.line);
  const first = Math.max(0, points.search("at", view.from + course.zero) - 1);
  const { context } = brush;
  /** @type {[number, number][]} */
  const outline = [];
  for (let row = first; row < points.length; row += 1) {
    const at = course.since(points.at("at", row));
    outline.push([view.x(at), base - (points.at("held", row) / top) * height]);
    if (at > view.until) {
      break;
    }
  }
  if (course.live && course.now <= view.until && outline.length > 0) {
    outline.push([
      view.x(course.now),
      base - (course.log.hand.msAt(course.now + course.zero) / top) * height,
    ]);
  }
  const end = outline[outline.length - 1];
  if (end === undefined) {
    return;
  }
  context.beginPath();
  outline.forEach(([x, at], index) => {
    index === 0 ? context.moveTo(x, at) : context.lineTo(x, at);
  });
  context.globalAlpha = 1;
  context.strokeStyle = colours.hand;
  context.lineWidth = 1.5;
  context.lineJoin = "round";
  context.stroke();
  context.lineTo(end[0], base);
  context.lineTo(outline[0]?.[0] ?? 0, base);
  context.closePath();
  context.globalAlpha = 0.2;
  context.fillStyle = colours.hand;
  context.fill();
  brush.font(10);
  for (let line = 1; line <= MOST_HAND_LABELS; line += 1) {
    const ms = (top * line) / MOST_HAND_LABELS;
    const label = ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`;
    brush.text(label, view.left + view.width - 2, base - (ms / top) * height + 7, colours.muted, "right");
  }
  brush.font(11);
}

/** @param {number} ms @returns {number} one digit and zeros, that can be halved */
function niceAbove(ms) {
  const unit = 10 ** Math.floor(Math.log10(Math.max(100, ms)));
  return ([1, 2, 4, 5, 6, 8, 10].find((each) => each * unit >= ms) ?? 10) * unit;
}

/**
 * @param {View} view
 * @param {number} from ms
 * @param {number} until ms
 * @param {number} least CSS pixels
 * @returns {[number, number]} CSS pixels
 */
export function stretch(view, from, until, least = 1.5) {
  const left = view.x(from);
  return [left, Math.max(left + least, view.x(until))];
}

/** @param {Row} row */
function bottom(row) {
  return row.y + row.height;
}

/** @type {(value: number, other: number) => number} */
function orElse(value, other) {
  return Number.isNaN(value) ? other : value;
}

/** @param {string} text */
function leadingSpace(text) {
  return text.length - text.trimStart().length;
}
