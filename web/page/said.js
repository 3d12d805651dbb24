import { Follower } from "./follower.js";
import { Stretch } from "./stretch.js";
import { firstBehind, stretchesOf } from "./units.js";

/** @typedef {import("./utterance.js").Utterance} Utterance */

/** Texts of no more stretches than this have an element for each word. */
const FEW = 10;
/** Of longer texts only so many stretches before and behind where something happens. */
const NEAR = 2;

/** Shows the words of an utterance, and which of them were sent, are sounding and were heard. */
export class Said {
  #root;
  #follower;
  /** @type {Utterance | null} */
  #utterance = null;
  /** @type {Stretch[]} */
  #stretches = [];
  /** What is shown, to see whether anything has changed. */
  #shown = "";

  /**
   * @param {HTMLElement} root which scrolls
   * @param {HTMLButtonElement} backButton brings the reader back to the word
   */
  constructor(root, backButton) {
    this.#root = root;
    this.#follower = new Follower(root, backButton);
  }

  /** @param {Utterance | null} utterance */
  show(utterance) {
    this.#utterance = utterance;
    this.#stretches = [];
    this.#shown = "";
    this.#root.replaceChildren();
    this.#root.dataset.mode = utterance?.screen.llm ? "llm" : "text";
    if (utterance === null) return;
    this.#root.lang = utterance.screen.language === "auto" ? "" : utterance.screen.language;
    this.#stretches = stretchesOf(utterance.units, utterance.text.length).map(
      (span) => new Stretch(utterance, span.start, span.end, span.units),
    );
    this.#root.append(...this.#stretches.map((stretch) => stretch.element));
    this.#root.scrollTop = 0;
    this.#follower.begin();
    this.update();
  }

  /** Brings what is shown up to date. */
  update() {
    const utterance = this.#utterance;
    if (utterance === null) return;
    const { heardEnd, sounding, sentEnd, state, log } = utterance;
    const now = `${heardEnd} ${sounding?.start} ${sounding?.end} ${sentEnd} ${state} ${log.segments.length}`;
    if (now === this.#shown) return;
    this.#shown = now;
    const place = firstBehind(this.#stretches, sounding?.start ?? heardEnd);
    const front = firstBehind(this.#stretches, sentEnd);
    for (const [index, stretch] of this.#stretches.entries()) {
      const isNear =
        Math.abs(index - place) <= NEAR || (utterance.screen.llm && Math.abs(index - front) <= 1);
      stretch.update(isNear || this.#stretches.length <= FEW);
    }
    this.#follower.follow(this.#stretches[place]?.elementAt(sounding?.start ?? heardEnd) ?? null);
  }
}
