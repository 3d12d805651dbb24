// What lies over the rows of the timeline: times, names of the rows, outages, interrupts, the playhead.

import { duration } from "../format.js";
import { AXIS_HEIGHT } from "./view.js";

/** @typedef {import("./rows.js").Scene} Scene */

/** Least distance of two times on the axis, CSS pixels. */
const TICK_ROOM = 64;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500]
  .concat([1, 2, 5, 10, 15, 30].map((each) => each * SECOND))
  .concat([1, 2, 5, 10, 15, 30].map((each) => each * MINUTE));

/** The times on top, and lines down from them. @type {(scene: Scene, height: number) => void} */
export function drawAxis({ brush, colours, view }, height) {
  const least = ((view.until - view.from) / view.width) * TICK_ROOM;
  const step = STEPS.find((each) => each >= least) ?? STEPS[STEPS.length - 1] ?? MINUTE;
  const right = view.left + view.width;
  for (let time = Math.max(0, Math.ceil(view.from / step) * step); time <= view.until; time += step) {
    const x = view.x(time);
    brush.context.globalAlpha = 0.7;
    brush.upright(x, AXIS_HEIGHT - 3, height, colours.line);
    const label = timeLabel(time, step);
    const room = brush.measure(label) / 2;
    if (x + room <= right && x - room >= view.left - 4) {
      brush.text(label, x, AXIS_HEIGHT / 2 - 1, colours.muted, "center");
    } else if (x - room < view.left - 4) {
      brush.text(label, view.left, AXIS_HEIGHT / 2 - 1, colours.muted);
    }
  }
}

/** @type {(time: number, step: number) => string} */
function timeLabel(time, step) {
  if (time === 0) {
    return "0";
  }
  if (time >= MINUTE) {
    const seconds = (time % MINUTE) / SECOND;
    const fraction = step < SECOND ? Math.max(1, 3 - Math.floor(Math.log10(step))) : 0;
    return `${Math.floor(time / MINUTE)}:${seconds.toFixed(fraction).padStart(fraction > 0 ? fraction + 3 : 2, "0")}`;
  }
  if (step < SECOND && time < SECOND) {
    return `${time} ms`;
  }
  return `${Number((time / SECOND).toFixed(3))} s`;
}

/** The names of the rows. @type {(scene: Scene, beside: boolean) => void} */
export function drawNames({ brush, colours, rows, view }, beside) {
  for (const [name, row] of Object.entries(rows)) {
    if (beside) {
      // Nothing of the time before the view is seen under the names.
      const x = name === "playing" ? row.y + row.height / 2 : row.y + Math.min(row.height, 30) / 2;
      brush.text(row.label, 0, x + 0.5, colours.muted);
    } else if (name !== "playing") {
      const label = name === "speech" ? "Speech, and when it played" : row.label;
      brush.text(label, view.left + 1, row.y - 8, colours.muted);
    }
  }
}

/** When there was no connection. @type {(scene: Scene, height: number) => void} */
export function drawOutages({ brush, colours, view, course }, height) {
  for (const outage of course.log.outages.list) {
    const lasts = Number.isNaN(outage.until);
    const from = view.x(course.since(outage.from));
    const until = Math.max(from + 2, view.x(lasts ? course.now : course.since(outage.until)));
    brush.box(from, AXIS_HEIGHT, until - from, height - AXIS_HEIGHT, colours.lost, 0.12);
    brush.hatched(from, AXIS_HEIGHT, until - from, height - AXIS_HEIGHT, colours.lost, 0.24);
    const label = lasts ? "connection lost" : `connection lost, ${duration(outage.until - outage.from)}`;
    flag(brush, view, from, AXIS_HEIGHT, label, colours.lost, colours.paper);
  }
}

/** Where the listener interrupted, when it was silent, when the server had answered. @param {Scene} scene */
export function drawInterrupt({ brush, colours, view, rows, course }) {
  const { log } = course;
  const bottom = rows.hand.y + rows.hand.height;
  if (!Number.isNaN(log.cancelAskedAt)) {
    const x = view.x(course.since(log.cancelAskedAt));
    brush.context.globalAlpha = 1;
    brush.upright(x, AXIS_HEIGHT, bottom, colours.cut, 1.5);
    const parts = ["interrupted"];
    if (!Number.isNaN(log.silentAt)) {
      parts.push(`silent ${duration(log.silentAt - log.cancelAskedAt)}`);
      dot(
        brush,
        view.x(course.since(log.silentAt)),
        rows.playing.y + rows.playing.height / 2,
        colours.cut,
        colours.paper,
      );
    }
    if (log.cancelledWith !== null) {
      parts.push(`answered ${duration(log.cancelledWith.at - log.cancelAskedAt)}`);
      const y = rows.made.y + rows.made.height / 2;
      dot(brush, view.x(course.since(log.cancelledWith.at)), y, colours.cut, colours.paper);
    }
    flag(brush, view, x, AXIS_HEIGHT, parts.join(" · "), colours.cut, colours.paper);
  } else if (log.cancelledWith !== null) {
    const x = view.x(course.since(log.cancelledWith.at));
    brush.context.globalAlpha = 1;
    brush.upright(x, AXIS_HEIGHT, bottom, colours.cut, 1.5);
    flag(brush, view, x, AXIS_HEIGHT, log.cancelledWith.reason, colours.cut, colours.paper);
  }
  if (log.failedWith !== null) {
    const x = view.x(course.since(log.failedWith.at));
    brush.context.globalAlpha = 1;
    brush.upright(x, AXIS_HEIGHT, bottom, colours.gap, 1.5);
    flag(brush, view, x, AXIS_HEIGHT, "failed", colours.gap, colours.paper);
  }
}

/** Lengths of the gaps, where there is room. @param {Scene} scene */
export function drawGaps({ brush, colours, view, rows, course }) {
  const { underruns, textWaits } = course.log;
  const gaps = underruns.list.map((gap) => ({ ...gap, name: "gap", colour: colours.gap }));
  const waits = textWaits.list.map((wait) => ({ ...wait, name: "no text yet", colour: colours.wait }));
  let last = Number.NEGATIVE_INFINITY;
  for (const each of [...gaps, ...waits].sort((one, other) => one.from - other.from)) {
    const { from, until, name, colour } = each;
    const x = view.x(course.since(from));
    const label = Number.isNaN(until) ? name : `${name} ${duration(until - from)}`;
    if (x >= view.left && x > last + 8) {
      last = flag(brush, view, x, rows.playing.y + rows.playing.height + 2, label, colour, colours.paper);
    }
  }
}

/** Now, and where in the sound that is. @param {Scene} scene */
export function drawPlayhead({ brush, colours, view, rows, course }) {
  if (!course.live) {
    return;
  }
  const x = view.x(course.now);
  if (x < view.left || x > view.left + view.width) {
    return;
  }
  brush.context.globalAlpha = 0.35;
  brush.upright(x, rows.text.y, rows.speech.y, colours.ink);
  const end = rows.hand.y + rows.hand.height;
  if (course.log.sounding.open) {
    brush.context.globalAlpha = 1;
    brush.upright(x, rows.speech.y - 2, end, colours.ink, 2);
    dot(brush, x, rows.playing.y + rows.playing.height / 2, colours.ink, colours.paper, 5.5);
  } else {
    brush.context.globalAlpha = 0.35;
    brush.upright(x, rows.speech.y, end, colours.ink);
  }
}

/** The time that is pointed at. @type {(scene: Scene, time: number, height: number) => void} */
export function drawCursor({ brush, colours, view }, time, height) {
  const x = view.x(time);
  brush.context.globalAlpha = 0.8;
  brush.upright(x, AXIS_HEIGHT, height, colours.focus);
}

/**
 * @type {(brush: Scene["brush"], x: number, y: number, colour: string, rim: string, radius?: number) => void}
 */
function dot(brush, x, y, colour, rim, radius = 4) {
  const { context } = brush;
  context.globalAlpha = 1;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  context.lineWidth = 1.5;
  context.strokeStyle = rim;
  context.stroke();
}

/**
 * A label at a line, on the side where there is room.
 *
 * @type {(brush: Scene["brush"], view: Scene["view"], x: number, y: number, label: string, colour: string,
 *   ink: string) => number} where it ends, CSS pixels
 */
function flag(brush, view, x, y, label, colour, ink) {
  brush.font(10, 600);
  const right = view.left + view.width;
  const text = brush.fit(label, view.width - 12);
  const width = brush.measure(text) + 8;
  const left = Math.max(
    view.left,
    x + width <= right ? x : x >= right ? right - width : Math.max(x - width, view.left),
  );
  brush.round(left, y, width, 14, 3, colour);
  brush.text(text, left + 4, y + 7.5, ink);
  brush.font(11);
  return left + width;
}
