import { figuresOf } from "../record/figures.js";
import { Said } from "./said.js";
import { counted } from "./text.js";

/** @typedef {import("./elements.js").elements} Elements */
/** @typedef {import("./utterance.js").Utterance} Utterance */
/** @typedef {import("../record/timeline.js").Timeline} Timeline */

/** Shows one utterance: its words, its figures, its timeline. */
export class Stage {
  #elements;
  /** Around the figures, for people to open. @type {HTMLDetailsElement} */
  #details;
  #timeline;
  #said;
  /** @type {Utterance | null} */
  shown = null;
  /** The version of the log that the figures are of. */
  #figuresOf = "";

  /**
   * @param {Elements} elements
   * @param {Timeline} timeline
   */
  constructor(elements, timeline) {
    this.#elements = elements;
    this.#timeline = timeline;
    this.#said = new Said(elements.said, elements.follow);
    this.#details = /** @type {HTMLDetailsElement} */ (elements.figures.parentElement);
    this.#details.addEventListener("toggle", () => this.#showFigures());
  }

  /** @param {Utterance} utterance */
  show(utterance) {
    this.shown = utterance;
    const { welcome, legend, timeline } = this.#elements;
    welcome.hidden = true;
    timeline.hidden = false;
    this.#details.hidden = false;
    legend.hidden = !utterance.screen.llm;
    this.#said.show(utterance);
    this.#timeline.show(utterance.log);
    this.update();
  }

  /** Brings what is shown up to date. */
  update() {
    const utterance = this.shown;
    if (utterance === null) return;
    this.#said.update();
    const { firstSound, firstName, silence, heard, after, unsaved } = this.#elements;
    figure(firstSound, utterance.firstSoundMs);
    figure(silence, utterance.silenceMs);
    write(firstName, `from press to first sound${beforeTheText(utterance)}`);
    write(heard, `${counted(utterance.heardCount)} of ${counted(utterance.units.length)}`);
    heard.dataset.shown = "count";
    after.hidden = utterance.log.frameCount === 0;
    unsaved.hidden = utterance.log.settings.track !== true;
    if (utterance.isOver) this.#showFigures();
  }

  #showFigures() {
    const utterance = this.shown;
    if (utterance === null || !this.#details.open) return;
    const now = `${utterance.key} ${utterance.log.version}`;
    if (now === this.#figuresOf) return;
    this.#figuresOf = now;
    const list = document.createElement("dl");
    for (const { name, value, title } of figuresOf(utterance.log)) {
      const group = document.createElement("div");
      group.append(element("dt", name), element("dd", value), element("dd", title, "note"));
      list.append(group);
    }
    this.#elements.figures.replaceChildren(list);
  }
}

/** In LLM mode: by how much the voice was sooner than the text. @param {Utterance} utterance */
function beforeTheText({ log, screen, firstSoundMs }) {
  if (!screen.llm || Number.isNaN(firstSoundMs) || Number.isNaN(log.textEndedAt)) return "";
  const sooner = (log.textEndedAt - log.playingAt) / 1000;
  return sooner > 0.05 ? `, ${sooner.toFixed(1)} s before the last token` : "";
}

/** @type {(place: HTMLElement, ms: number) => void} */
function figure(place, ms) {
  const value = Number.isNaN(ms) ? "–" : ms < 9995 ? `${Math.round(ms)}` : (ms / 1000).toFixed(1);
  const unit = Number.isNaN(ms) ? "" : ms < 9995 ? "ms" : "s";
  if (place.dataset.shown === value + unit) return;
  place.dataset.shown = value + unit;
  place.replaceChildren(value, ...(unit === "" ? [] : [" ", element("small", unit)]));
}

/** @type {(place: HTMLElement, text: string) => void} */
function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** @type {(name: string, text: string, className?: string) => HTMLElement} */
function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className !== "") made.className = className;
  return made;
}
