import { supported } from "../player/choose.js";

/** @typedef {import("./elements.js").elements} Elements */
/** @typedef {import("./sound.js").Sound} Sound */
/** @typedef {import("./speaking.js").Speaking} Speaking */
/** @typedef {import("../player/player.js").Kind} Kind */
/** @typedef {import("../player/player.js").Player} Player */

/** Which player plays: the best there is, or the one that a person chose; and why. */
export class Playback {
  #elements;
  #sound;
  #speaking;
  #tell;
  #say;
  /** The one of the next utterance; null while there is none yet. @type {Player | null} */
  player = null;
  /** The making of the one that was asked for last; null when it is done. @type {Promise<void> | null} */
  making = null;

  /**
   * @param {Elements} elements
   * @param {Sound} sound
   * @param {Speaking} speaking
   * @param {(problem: string) => void} tell
   * @param {(text: string) => void} say what is no problem
   */
  constructor(elements, sound, speaking, tell, say) {
    this.#elements = elements;
    this.#sound = sound;
    this.#speaking = speaking;
    this.#tell = tell;
    this.#say = say;
  }

  /** @param {string} chosen the kind that a link asks for; "" for the best */
  async begin(chosen) {
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

  /**
   * One is made after the other; of several that were asked for meanwhile only the last.
   * @param {string} chosen
   */
  #take(chosen) {
    const before = this.making ?? Promise.resolve();
    const isLast = () => this.making === making;
    /** @type {Promise<void>} */
    const making = before
      .then(() => (isLast() ? this.#make(chosen, isLast) : undefined))
      .finally(() => {
        if (isLast()) this.making = null;
      });
    this.making = making;
    return making;
  }

  /** @type {(chosen: string, isLast: () => boolean) => Promise<void>} */
  async #make(chosen, isLast) {
    const { player: select } = this.#elements;
    try {
      const player = await this.#sound.make(/** @type {Kind | ""} */ (chosen));
      player.addEventListener("error", (event) => {
        const { utterance, message } = /** @type {CustomEvent} */ (event).detail;
        if (utterance === null) this.#tell(message);
      });
      if (isLast()) this.#change(player, why(player.kind, chosen));
      else await player.close();
    } catch (error) {
      if (!isLast()) return;
      if (this.player) select.value = this.player.kind;
      this.#tell(error instanceof Error ? error.message : String(error));
    }
  }

  /** @type {(player: Player, reason: string) => void} */
  #change(player, reason) {
    const { player: select, playerNow } = this.#elements;
    const before = this.player;
    this.player = player;
    select.value = player.kind;
    playerNow.textContent = `${player.label} plays from the next utterance on${reason}.`;
    this.#speaking.use(player).then(() => {
      before?.close();
      if (this.player === player) playerNow.textContent = `${player.label} plays${reason}.`;
    });
    if (this.#speaking.current !== null) this.#say(playerNow.textContent);
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
