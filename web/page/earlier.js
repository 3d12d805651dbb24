import { counted } from "./text.js";

/** @typedef {import("./utterance.js").Utterance} Utterance */

/** So many utterances can be looked at again. */
const MOST = 20;

/** The utterances before, the latest first, each behind a button. */
export class Earlier {
  #list;
  #frame;
  #look;
  /** @type {Map<Utterance, HTMLButtonElement>} */
  #buttons = new Map();

  /**
   * @param {HTMLElement} frame shown when there are any
   * @param {HTMLElement} list
   * @param {(utterance: Utterance) => void} look is called when a person wants to see one again
   */
  constructor(frame, list, look) {
    this.#frame = frame;
    this.#list = list;
    this.#look = look;
  }

  /** @param {Utterance} utterance */
  add(utterance) {
    this.#forgetUnheard();
    const button = document.createElement("button");
    button.type = "button";
    const text = document.createElement("span");
    text.className = "said-start";
    text.textContent = utterance.text.slice(0, 200);
    const outcome = document.createElement("span");
    outcome.className = "outcome";
    button.append(text, outcome);
    button.addEventListener("click", () => this.#look(utterance));
    const item = document.createElement("li");
    item.append(button);
    this.#list.prepend(item);
    this.#buttons.set(utterance, button);
    this.#frame.hidden = false;
    const [oldest] = this.#buttons.keys();
    if (this.#buttons.size > MOST && oldest !== undefined) this.#forget(oldest);
    this.update(utterance);
  }

  /** Who presses many times at once does not lose sight of what was heard before. */
  #forgetUnheard() {
    for (const each of this.#buttons.keys()) {
      if (each.state === "interrupted" && Number.isNaN(each.firstSoundMs)) this.#forget(each);
    }
  }

  /** @param {Utterance} utterance */
  #forget(utterance) {
    this.#buttons.get(utterance)?.parentElement?.remove();
    this.#buttons.delete(utterance);
  }

  /** @param {Utterance} utterance of which something has changed */
  update(utterance) {
    const outcome = this.#buttons.get(utterance)?.lastElementChild;
    if (outcome) outcome.textContent = outcomeOf(utterance);
  }

  /** @param {Utterance} utterance which is being looked at */
  mark(utterance) {
    for (const [each, button] of this.#buttons) {
      if (each === utterance) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }
}

/** @param {Utterance} utterance */
function outcomeOf(utterance) {
  const { state, firstSoundMs, heardCount, units } = utterance;
  if (state === "unspoken") return "nothing to say";
  const first = Number.isNaN(firstSoundMs) ? "no sound" : `${Math.round(firstSoundMs)} ms`;
  if (state === "interrupted")
    return `${first}, interrupted at ${counted(heardCount)} of ${counted(units.length)}`;
  return state === "failed" ? `${first}, failed` : first;
}
