import { DEFAULTS } from "./link.js";
import { wellFormed } from "./text.js";

/** @typedef {import("./link.js").Screen} Screen */
/** @typedef {import("./server.js").Voice} Voice */
/** @typedef {import("./elements.js").elements} Elements */

const names = new Intl.DisplayNames(["en"], { type: "language" });

/** What a person has set: the text, the voice, how it is sent and played. */
export class Settings {
  #elements;
  /** @type {Voice[]} */
  #voices = [];
  /** What a link asked for before the voices were known. @type {Pick<Partial<Screen>, "voice" | "language">} */
  #wanted = {};

  /** @param {Elements} elements */
  constructor(elements) {
    this.#elements = elements;
    const { voice, language, speed, llm, rate } = elements;
    voice.addEventListener("change", () => this.#voiceChosen());
    for (const control of [voice, language, speed, llm, rate]) {
      control.addEventListener("input", () => this.#show());
    }
    this.#show();
  }

  /** What is set now. @returns {Screen} */
  get screen() {
    const { text, voice, language, speed, llm, rate, jitter, player } = this.#elements;
    return {
      text: wellFormed(text.value),
      voice: voice.value,
      language: language.value,
      speed: Number(speed.value),
      llm: llm.checked,
      rate: Number(rate.value),
      jitter: jitter.checked,
      player: player.dataset.chosen ?? "",
    };
  }

  /** @param {Partial<Screen>} screen what is left out stays as it is */
  set(screen) {
    const { text, voice, language, speed, llm, rate, jitter, player } = this.#elements;
    if (this.#voices.length === 0) this.#wanted = { voice: screen.voice, language: screen.language };
    if (screen.text !== undefined) text.value = screen.text;
    if (screen.speed !== undefined) speed.value = `${screen.speed}`;
    if (screen.llm !== undefined) llm.checked = screen.llm;
    if (screen.rate !== undefined) rate.value = `${screen.rate}`;
    if (screen.jitter !== undefined) jitter.checked = screen.jitter;
    if (screen.player) player.dataset.chosen = screen.player;
    if (screen.voice !== undefined) choose(voice, screen.voice, DEFAULTS.voice);
    this.#voiceChosen();
    if (screen.language !== undefined) choose(language, screen.language, DEFAULTS.language);
    this.#show();
  }

  /** @param {Voice[]} voices what the server has */
  offer(voices) {
    this.#voices = voices;
    const { voice, language } = this.#elements;
    const languages = [...new Set(voices.flatMap((each) => each.languages))];
    voice.replaceChildren(
      new Option("Automatic", ""),
      ...languages.map((code) => {
        const group = document.createElement("optgroup");
        group.label = nameOf(code);
        group.append(
          ...voices
            .filter((each) => each.languages[0] === code)
            .map(
              (each) => new Option(each.name === each.id ? each.id : `${each.name} (${each.id})`, each.id),
            ),
        );
        return group;
      }),
    );
    language.replaceChildren(
      new Option("By the text", "auto"),
      ...languages.map((code) => new Option(nameOf(code), code)),
    );
    this.set(this.#wanted);
  }

  /** Whether a voice speaks a language. @param {string} code */
  speaks(code) {
    return this.#voices.some(({ languages }) => languages.includes(code));
  }

  /** A voice has its languages; others cannot be asked of it. */
  #voiceChosen() {
    const { voice, language } = this.#elements;
    const chosen = this.#voices.find(({ id }) => id === voice.value);
    for (const option of language.options) {
      option.disabled =
        chosen !== undefined && option.value !== "auto" && !chosen.languages.includes(option.value);
    }
    if (language.selectedOptions[0]?.disabled) language.value = "auto";
    this.#show();
  }

  #show() {
    const { voice, language, speed, speedNow, llm, pace, rate, rateNow, settingsNow } = this.#elements;
    const times = `${Number(speed.value)
      .toFixed(2)
      .replace(/\.?0+$/, "")}×`;
    speedNow.value = times;
    rateNow.value = rate.value;
    pace.hidden = !llm.checked;
    const parts = [
      voice.value,
      language.value === "auto" ? "" : nameOf(language.value),
      times === "1×" ? "" : times,
    ];
    settingsNow.textContent = parts.filter(Boolean).join(", ");
  }
}

/** @type {(select: HTMLSelectElement, value: string, otherwise: string) => void} */
function choose(select, value, otherwise) {
  select.value = value;
  if (select.selectedIndex < 0) select.value = otherwise;
}

/** @param {string} code */
function nameOf(code) {
  try {
    return names.of(code) ?? code;
  } catch {
    return code; // what is no language code
  }
}
