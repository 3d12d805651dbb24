// An utterance's course as a picture: text, synthesis, packets, speech and sound in hand, one under the other over time.

import { Brush } from "./timeline/brush.js";
import { Course } from "./timeline/course.js";
import { factAt, factsOf, summaryOf, tableOf } from "./timeline/facts.js";
import { TimelineFrame } from "./timeline/frame.js";
import * as marks from "./timeline/marks.js";
import * as rows from "./timeline/rows.js";
import { coloursOf, dress } from "./timeline/style.js";
import { layoutOf, View } from "./timeline/view.js";

/** @typedef {import("./log.js").UtteranceLog} UtteranceLog */
/** @typedef {import("./timeline/facts.js").Fact} Fact */
/** @typedef {import("./timeline/view.js").RowName} RowName */

/** Least time between two pictures while something goes on, ms; and where motion is not wanted. */
const EVERY_MS = 30;
const EVERY_STILL_MS = 500;
/** How often one looks whether a log that is over has changed, ms. */
const LOOK_MS = 250;
/** How often the table and the summary are written anew while something goes on, ms. */
const WORDS_MS = 1000;
const ZOOM = 1.5;

/** Shows one log, as long as it can be seen; draws itself when there is something new. */
export class Timeline {
  /** @param {HTMLElement} root an empty element; it gets a shadow root */
  constructor(root) {
    this.root = root;
    const shadow = root.attachShadow({ mode: "open" });
    dress(shadow);
    /** @private */
    this.frame = new TimelineFrame(shadow);
    /** @private */
    this.brush = new Brush(this.frame.canvas);
    /** @private */
    this.view = new View();
    /** @private @type {UtteranceLog | null} */
    this.log = null;
    /** @private */
    this.layout = layoutOf(0);
    /** @private */
    this.colours = coloursOf(root);
    /** @private the version that was drawn; -1: whatever there is must be drawn */
    this.drawn = -1;
    /** @private */
    this.drawnAt = 0;
    /** @private whether the view is not yet where it will be */
    this.moving = false;
    /** @private */
    this.wordsAt = Number.NEGATIVE_INFINITY;
    /** @private @type {{row: RowName, x: number} | {fact: Fact} | null} what is pointed at */
    this.pointed = null;
    /** @private */
    this.visible = false;
    /** @private */
    this.frameRequest = 0;
    /** @private @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @private */
    this.ending = new AbortController();
    /** @private */
    this.motion = matchMedia("(prefers-reduced-motion: reduce)");
    /** @private */
    this.sizes = new ResizeObserver(([entry]) => {
      const device = entry?.devicePixelContentBoxSize?.[0]?.inlineSize;
      this.resize(entry?.contentRect.width ?? 0, device);
    });
    /** @private */
    this.sights = new IntersectionObserver(([entry]) => {
      this.visible = entry?.isIntersecting ?? false;
      this.again();
    });
    /** @private */
    this.looks = new MutationObserver(() => this.recolour());
    this.watch();
    this.listen();
  }

  /** @param {UtteranceLog | null} log the one to show from now on */
  show(log) {
    this.log = log;
    this.pointed = null;
    this.frame.hush();
    this.view.reset();
    this.wordsAt = Number.NEGATIVE_INFINITY;
    this.again();
  }

  /** Draws no more, and listens to nothing. */
  close() {
    this.log = null;
    this.ending.abort();
    this.sizes.disconnect();
    this.sights.disconnect();
    this.looks.disconnect();
    cancelAnimationFrame(this.frameRequest);
    clearTimeout(this.timer);
  }

  /** @private */
  watch() {
    try {
      this.sizes.observe(this.frame.canvas, { box: "device-pixel-content-box" });
    } catch {
      // Safari does not tell the screen's own pixels.
      this.sizes.observe(this.frame.canvas);
    }
    this.sights.observe(this.root);
    // A page may change its colours by a class or an attribute.
    this.looks.observe(document.documentElement, { attributes: true });
    const { signal } = this.ending;
    for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
      matchMedia(query).addEventListener("change", () => this.recolour(), { signal });
    }
    this.motion.addEventListener("change", () => this.again(), { signal });
  }

  /** @private */
  listen() {
    const { signal } = this.ending;
    const { stage, whole, follow, nearer, farther, table } = this.frame;
    stage.addEventListener("pointermove", (event) => this.point(event), { signal });
    stage.addEventListener("pointerdown", (event) => this.point(event), { signal });
    stage.addEventListener("pointerleave", () => this.unpoint(), { signal });
    stage.addEventListener("blur", () => this.unpoint(), { signal });
    stage.addEventListener("keydown", (event) => this.key(event), { signal });
    stage.addEventListener("wheel", (event) => this.wheel(event), { signal, passive: false });
    whole.addEventListener("click", () => this.choose("whole"), { signal });
    follow.addEventListener("click", () => this.choose("follow"), { signal });
    nearer.addEventListener("click", () => this.zoom(1 / ZOOM), { signal });
    farther.addEventListener("click", () => this.zoom(ZOOM), { signal });
    table.addEventListener("toggle", () => this.writeWords(), { signal });
  }

  /** @private @type {(width: number, device: number | undefined) => void} */
  resize(width, device) {
    this.layout = layoutOf(width);
    this.view.resize(width);
    const about = width * devicePixelRatio;
    // What the browser tells may differ by a pixel, so that the edges are met; not by more, as in an emulation.
    const exact = device !== undefined && Math.abs(device - about) <= 1 ? device : Math.round(about);
    this.brush.resize(width, this.layout.height, exact);
    this.again();
  }

  /** @private */
  recolour() {
    this.colours = coloursOf(this.root);
    this.again();
  }

  /** @private something has changed that is not in the log */
  again() {
    this.drawn = -1;
    this.next();
  }

  /** @private */
  next() {
    if (this.visible && this.frameRequest === 0 && !this.ending.signal.aborted) {
      clearTimeout(this.timer);
      this.frameRequest = requestAnimationFrame((now) => {
        this.frameRequest = 0;
        this.tick(now);
      });
    }
  }

  /** @private @param {number} now */
  tick(now) {
    const { log, motion } = this;
    const course = log === null ? null : new Course(log, now);
    const live = course?.live ?? false;
    const version = log?.version ?? 0;
    const every = motion.matches ? EVERY_STILL_MS : EVERY_MS;
    const due = live || this.moving || version !== this.drawn;
    if (this.drawn === -1 || (due && now - this.drawnAt >= every)) {
      this.moving = this.draw(course, now);
      this.drawn = version;
      this.drawnAt = now;
    }
    if (live || this.moving || version !== this.drawn) {
      if (now - this.wordsAt >= WORDS_MS) {
        this.writeWords();
      }
      this.next();
    } else {
      if (this.wordsAt !== Number.POSITIVE_INFINITY) {
        this.writeWords();
        // Until something changes.
        this.wordsAt = Number.POSITIVE_INFINITY;
      }
      this.look();
    }
  }

  /** @private looks from time to time whether there is something new */
  look() {
    clearTimeout(this.timer);
    const { log } = this;
    if (log === null || !this.visible) {
      return;
    }
    this.timer = setTimeout(() => {
      if (log.version !== this.drawn) {
        this.wordsAt = Number.NEGATIVE_INFINITY;
        this.next();
      } else {
        this.look();
      }
    }, LOOK_MS);
  }

  /** @private @type {(course: Course | null, now: number) => boolean} whether the view still moves */
  draw(course, now) {
    const { brush, colours, view, layout } = this;
    if (brush.width === 0) {
      return false;
    }
    brush.begin(colours);
    if (course === null || Number.isNaN(course.log.firstAt)) {
      const empty = "Speak, and see here how text becomes sound.";
      brush.text(
        brush.fit(empty, brush.width - 8),
        brush.width / 2,
        layout.height / 2,
        colours.muted,
        "center",
      );
      return false;
    }
    view.still = this.motion.matches;
    const moving = view.update(course.end, course.now, course.live, now - this.drawnAt);
    const legs = course.legs(view.from, view.until);
    const scene = { brush, colours, view, rows: layout.rows, course, legs };
    const { context } = brush;
    marks.drawNames(scene, layout.beside);
    marks.drawAxis(scene, layout.height);
    context.save();
    context.beginPath();
    context.rect(view.left, 0, view.width, layout.height);
    context.clip();
    marks.drawOutages(scene, layout.height);
    rows.drawRibbons(scene);
    rows.drawText(scene);
    rows.drawSynthesis(scene);
    rows.drawPackets(scene);
    rows.drawHand(scene);
    rows.drawSpeech(scene);
    rows.drawPlaying(scene);
    marks.drawGaps(scene);
    marks.drawInterrupt(scene);
    marks.drawPlayhead(scene);
    this.drawPointed(scene, course);
    context.restore();
    this.frame.whole.setAttribute("aria-pressed", String(!view.follows && view.mode !== "free"));
    this.frame.follow.setAttribute("aria-pressed", String(view.follows));
    return moving && !view.still;
  }

  /** @private @type {(scene: rows.Scene, course: Course) => void} */
  drawPointed(scene, course) {
    const { pointed, view, layout } = this;
    if (pointed === null) {
      return;
    }
    const span = view.until - view.from;
    const fact = "fact" in pointed ? pointed.fact : factAt(course, pointed.row, view.time(pointed.x), span);
    marks.drawCursor(scene, fact.time, layout.height);
    this.frame.tell(fact, view.x(fact.time), false);
  }

  /** @private the summary, and the table where it is open */
  writeWords() {
    this.wordsAt = performance.now();
    const course = this.log === null ? null : new Course(this.log, performance.now());
    const summary = course === null ? "Timeline: nothing has been spoken yet." : summaryOf(course);
    this.frame.canvas.setAttribute("aria-label", summary);
    if (this.frame.table.open) {
      this.frame.fill(course === null ? [] : tableOf(course));
    }
  }

  /** @private @param {PointerEvent} event */
  point(event) {
    const box = this.frame.canvas.getBoundingClientRect();
    const y = event.clientY - box.top;
    const x = event.clientX - box.left;
    if (this.log === null || x < this.view.left) {
      return this.unpoint();
    }
    const all = /** @type {[RowName, {y: number, height: number}][]} */ (Object.entries(this.layout.rows));
    const row = all.find(([, each]) => y <= each.y + each.height + 3)?.[0] ?? "hand";
    this.pointed = { row, x };
    this.again();
  }

  /** @private */
  unpoint() {
    if (this.pointed !== null) {
      this.pointed = null;
      this.frame.hush();
      this.again();
    }
  }

  /** @private @param {WheelEvent} event */
  wheel(event) {
    // Without a key the wheel is the page's.
    if (
      this.log === null ||
      !(event.ctrlKey || event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))
    ) {
      return;
    }
    event.preventDefault();
    const span = this.view.until - this.view.from;
    if (event.ctrlKey) {
      const x = event.clientX - this.frame.canvas.getBoundingClientRect().left;
      this.view.zoom(Math.exp(event.deltaY / 200), this.view.time(x));
    } else {
      this.view.pan(((event.deltaX || event.deltaY) / this.view.width) * span);
    }
    this.again();
  }

  /** @private @param {KeyboardEvent} event */
  key(event) {
    const span = this.view.until - this.view.from;
    /** @type {Record<string, () => void>} */
    const actions = {
      ArrowLeft: () => this.step(-1),
      ArrowRight: () => this.step(1),
      Home: () => this.step(Number.NEGATIVE_INFINITY),
      End: () => this.step(Number.POSITIVE_INFINITY),
      PageUp: () => this.view.pan(-span / 2),
      PageDown: () => this.view.pan(span / 2),
      "+": () => this.zoom(1 / ZOOM),
      "-": () => this.zoom(ZOOM),
    };
    const action = event.altKey || event.ctrlKey || event.metaKey ? undefined : actions[event.key];
    if (this.log !== null && action !== undefined) {
      event.preventDefault();
      action();
      this.again();
    }
  }

  /** @private @param {number} by how many events further */
  step(by) {
    const { log, pointed, view } = this;
    const facts = log === null ? [] : factsOf(new Course(log, performance.now()));
    const before = pointed !== null && "fact" in pointed ? pointed.fact : null;
    const known = facts.findIndex((each) => each.time === before?.time && each.title === before.title);
    const index = known < 0 ? (by > 0 ? Math.min(by - 1, facts.length) : 0) : known + by;
    const fact = facts[Math.max(0, Math.min(facts.length - 1, index))];
    if (fact !== undefined) {
      view.reveal(fact.time);
      this.pointed = { fact };
      this.frame.tell(fact, view.x(fact.time), true);
    }
  }

  /** @private @param {number} factor below 1: nearer */
  zoom(factor) {
    const { pointed, view } = this;
    const middle = (view.from + view.until) / 2;
    view.zoom(factor, pointed !== null && "fact" in pointed ? pointed.fact.time : middle);
    this.again();
  }

  /** @private @param {"whole" | "follow"} mode */
  choose(mode) {
    this.view.mode = mode;
    this.again();
  }
}
