import { supported } from "../player/choose.js";
import { sentence } from "./text.js";

/** @typedef {import("./elements.js").elements} Elements */
/** @typedef {import("./sound.js").Sound} Sound */
/** @typedef {import("./speaking.js").Speaking} Speaking */
/** @typedef {import("../player/player.js").Kind} Kind */
/** @typedef {import("../player/player.js").Player} Player */
/** @typedef {import("../realtime.js").Session} Session */

/** Which player plays: the best there is, or the one that a person chose; and why. */
export class Playback {
  #elements;
  #sound;
  #speaking;
  #tell;
  #say;
  #connect;
  /** The one whose sound goes over a track; null where it does not. @type {Session | null} */
  #session = null;
  /** Why a track cannot be had, when it could not. */
  #failure = "";
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
   * @param {(isTrack: boolean) => void} connect has a session ready whose sound goes over a track, or not
   */
  constructor(elements, sound, speaking, tell, say, connect) {
    this.#elements = elements;
    this.#sound = sound;
    this.#speaking = speaking;
    this.#tell = tell;
    this.#say = say;
    this.#connect = connect;
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
      this.#failure = "";
      player.dataset.chosen = player.value;
      this.#take(player.value);
    });
    await this.#take(chosen);
  }

  /** @type {(session: Session, isTrack: boolean) => void} */
  join(session, isTrack) {
    this.#session = isTrack ? session : null;
    if (isTrack && this.player?.isTrack) this.player.join(session);
  }

  /** What the server can do: not each has WebRTC. @param {string[]} features */
  offer(features) {
    const option = [...this.#elements.player.options].find(({ value }) => value === "webrtc");
    if (option === undefined || features.includes("rtc") || option.disabled) return;
    option.disabled = true;
    option.text = "WebRTC: this server has none";
  }

  /** A track cannot be had: plays another way, if there is one. @param {string} why */
  fallBack(why) {
    this.#failure = sentence(why);
    const other = supported().find(({ kind, missing }) => kind !== "webrtc" && missing.length === 0);
    if (other === undefined) this.#tell(`${this.#failure} This browser has no other way to play.`);
    else this.#take(other.kind);
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
      let wasLost = false;
      player.addEventListener("way", (event) => {
        const { state, reason } = /** @type {CustomEvent} */ (event).detail;
        if (player !== this.player) return;
        if (state === "failed") this.fallBack(`WebRTC does not get through: ${reason}`);
        else if (state === "lost") this.#say(LOST);
        else if (state === "connected" && wasLost) this.#say(BACK);
        wasLost = state === "lost";
      });
      if (isLast()) this.#change(player, this.#why(player.kind, chosen));
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
    if (this.#session !== null) player.join(this.#session);
    select.value = player.kind;
    playerNow.textContent = `${player.label} plays from the next utterance on${reason}.`;
    this.#speaking.use(player).then(() => {
      before?.close();
      if (this.player !== player) return;
      playerNow.textContent = `${player.label} plays${reason}.`;
      this.#connect(player.isTrack);
    });
    if (this.#failure !== "") this.#tell(`${this.#failure} ${player.label} plays instead.`);
    else if (this.#speaking.current !== null) this.#say(playerNow.textContent);
  }

  /** @type {(kind: Kind, chosen: string) => string} */
  #why(kind, chosen) {
    return this.#failure === "" ? why(kind, chosen) : ", because WebRTC does not get through";
  }
}

const LOST = "The connection of the sound was lost, and is being taken up again. Nothing will be missing.";
const BACK = "The connection of the sound is back.";

/** @type {(kind: Kind, chosen: string) => string} */
function why(kind, chosen) {
  if (kind === chosen) return ", because you chose it";
  const [best] = supported();
  if (best === undefined || best.kind === kind)
    return ": of those here it sounds soonest, and is silent soonest";
  return `, because ${best.label} needs ${best.missing.join(" and ")}`;
}
