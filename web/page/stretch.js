import { firstBehind, firstWhere } from "./units.js";

/** Segments have so many colours in turn, as in the timeline. */
const COLOURS = 4;

/** @typedef {import("./units.js").Span} Span */
/** @typedef {import("./utterance.js").Utterance} Utterance */
/** A part of a word, or of the space between words, that was sent at once. @typedef {Span & {element: HTMLElement}} Piece */
/** What stands alone in a stretch: a word, or a space. @typedef {Span & {element: HTMLElement, isWord: boolean}} Item */

/**
 * A part of the text: as elements for each word while something happens near it, else as plain text, so that a long
 * text does not become a page of elements.
 */
export class Stretch {
  element = document.createElement("span");
  #utterance;
  /** Where in the text it begins, and ends. */
  start;
  end;
  #units;
  #isDetailed = false;
  /** @type {Item[]} */
  #items = [];
  /** @type {Piece[]} */
  #pieces = [];
  #state = "";

  /**
   * @param {Utterance} utterance
   * @param {number} start
   * @param {number} end
   * @param {Span[]} units its words
   */
  constructor(utterance, start, end, units) {
    this.#utterance = utterance;
    this.start = start;
    this.end = end;
    this.#units = units;
    this.element.className = "stretch";
    this.element.textContent = utterance.text.slice(start, end);
  }

  /** @param {boolean} detailed whether each word shall have an element */
  update(detailed) {
    if (detailed !== this.#isDetailed) {
      this.#isDetailed = detailed;
      this.#state = "";
      if (detailed) this.#detail();
      else this.#plain();
    }
    const { heardEnd, sounding, sentEnd, state, log } = this.#utterance;
    // Words do not wander: what lies wholly behind all of this, or before it, looks as it did.
    const near = [heardEnd, sounding?.start, sounding?.end, sentEnd].map((at) => this.#clamped(at));
    const now = `${near} ${state} ${log.segments.length}`;
    if (now === this.#state) return;
    this.#state = now;
    if (detailed) this.#mark();
    else this.#markAll();
  }

  /**
   * The element of the word at, or behind, an offset.
   * @param {number} offset
   * @returns {HTMLElement}
   */
  elementAt(offset) {
    return this.#items[firstBehind(this.#items, offset)]?.element ?? this.element;
  }

  /** @param {number | undefined} at */
  #clamped(at) {
    return at === undefined ? -1 : Math.min(Math.max(at, this.start), this.end);
  }

  #plain() {
    this.#items = [];
    this.#pieces = [];
    this.element.textContent = this.#utterance.text.slice(this.start, this.end);
  }

  #detail() {
    delete this.element.dataset.state;
    delete this.element.dataset.sent;
    this.#items = [];
    this.#pieces = [];
    this.element.replaceChildren();
    let at = this.start;
    for (const unit of this.#units) {
      if (unit.start > at) this.#add(at, unit.start, false);
      this.#add(unit.start, unit.end, true);
      at = unit.end;
    }
    if (at < this.end) this.#add(at, this.end, false);
  }

  /** @type {(start: number, end: number, isWord: boolean) => void} */
  #add(start, end, isWord) {
    const { text, tokenEnds } = this.#utterance;
    if (!isWord && tokenEnds.length === 0) {
      this.element.append(text.slice(start, end));
      return;
    }
    const element = document.createElement("span");
    element.className = isWord ? "word" : "space";
    if (tokenEnds.length === 0) element.textContent = text.slice(start, end);
    else element.append(...this.#piecesOf(start, end));
    this.element.append(element);
    this.#items.push({ start, end, element, isWord });
  }

  /** @type {(start: number, end: number) => HTMLElement[]} */
  #piecesOf(start, end) {
    const { text, tokenEnds } = this.#utterance;
    const elements = [];
    for (let at = start; at < end; ) {
      const begin = at;
      const token = firstWhere(tokenEnds.length, (index) => (tokenEnds[index] ?? 0) > begin);
      const until = Math.min(end, tokenEnds[token] ?? end);
      const element = document.createElement("span");
      element.className = token % 2 === 0 ? "token" : "token odd";
      element.textContent = text.slice(at, until);
      this.#pieces.push({ start: at, end: until, element });
      elements.push(element);
      at = until;
    }
    return elements;
  }

  #markAll() {
    set(this.element, "state", this.#stateOf({ start: this.start, end: this.end }));
    if (this.#utterance.tokenEnds.length > 0) {
      set(this.element, "sent", `${this.end <= this.#utterance.sentEnd}`);
    }
  }

  #mark() {
    const { sentEnd, log } = this.#utterance;
    for (const { end, element } of this.#pieces) set(element, "sent", `${end <= sentEnd}`);
    let cutBefore = false;
    for (const item of this.#items) {
      const state = this.#stateOf(item);
      set(item.element, "state", state);
      if (item.isWord) {
        // Where it was interrupted: between the last word that was heard and the first that was not.
        item.element.classList.toggle("cut-here", state === "unheard" && cutBefore);
        cutBefore = state === "heard";
      }
      if (this.#pieces.length === 0) continue;
      const segment = log.segments.findIndex(
        ({ range: [from, to] }) => from <= item.start && item.start < to,
      );
      if (segment >= 0) set(item.element, "segment", `${segment % COLOURS}`);
    }
  }

  /** @param {Span} span */
  #stateOf({ start, end }) {
    const { heardEnd, sounding, state, isOver } = this.#utterance;
    if (state === "heard" || end <= heardEnd) return "heard";
    if (sounding !== null && start < sounding.end && sounding.start < end) return "sounding";
    return isOver ? "unheard" : "waiting";
  }
}

/** @type {(element: HTMLElement, name: string, value: string) => void} */
function set(element, name, value) {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}
