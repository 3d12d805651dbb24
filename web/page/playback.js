import { supported } from "../player/choose.js";

/** @typedef {import("./elements.js").elements} Elements */
/** @typedef {import("./sound.js").Sound} Sound */
/** @typedef {import("./speaking.js").Speaking} Speaking */
/** @typedef {import("../player/player.js").Kind} Kind */

/** Which player plays: the best there is, or the one that a person chose; and why. */
export class Playback {
  #elements;
  #sound;
  #speaking;
  /** @type {(problem: string) => void} */
  #tell = () => {};

  /**
   * @param {Elements} elements
   * @param {Sound} sound
   * @param {Speaking} speaking
   */
  constructor(elements, sound, speaking) {
    this.#elements = elements;
    this.#sound = sound;
    this.#speaking = speaking;
  }

  /**
   * @param {string} chosen the kind that a link asks for; "" for the best
   * @param {(problem: string) => void} tell
   */
  async begin(chosen, tell) {
    this.#tell = tell;
    const { player } = this.#elements;
    player.replaceChildren(
      ...supported().map(({ kind, label, missing }) => {
        const option = new Option(
          missing.length > 0 ? `${label}: needs ${missing.join(" and ")}` : label,
          kind,
        );
        option.disabled = missing.length > 0;
        return option;
      }),
    );
    player.addEventListener("change", () => {
      player.dataset.chosen = player.value;
      this.#take(player.value);
    });
    await this.#take(chosen);
  }

  /** @param {string} chosen */
  async #take(chosen) {
    const { player: select, playerNow } = this.#elements;
    try {
      const player = await this.#sound.take(/** @type {Kind | ""} */ (chosen));
      this.#speaking.use(player);
      player.addEventListener("error", (event) => {
        const { utterance, message } = /** @type {CustomEvent} */ (event).detail;
        if (utterance === null) this.#tell(message);
      });
      select.value = player.kind;
      playerNow.textContent = `${player.label} plays${why(player.kind, chosen)}.`;
    } catch (error) {
      this.#tell(error instanceof Error ? error.message : String(error));
    }
  }
}

/** @type {(kind: Kind, chosen: string) => string} */
function why(kind, chosen) {
  if (kind === chosen) return ", because you chose it";
  const [best] = supported();
  if (best === undefined || best.kind === kind)
    return ": of those here it sounds soonest, and is silent soonest";
  return `, because ${best.label} needs ${best.missing.join(" and ")}`;
}
