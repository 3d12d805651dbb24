/** @typedef {import("./utterance.js").Loading} Loading */

const LOADING = "The voice is being loaded";

/** The line that says how it goes. It is read out to who does not see it. */
export class Status {
  #place;
  /** How far a load is. Read out twice a second it would be in the way, and at last be heard over the voice. */
  #progress = document.createElement("span");
  /** What is read out of the load that is shown. */
  #loading = "";

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#place = place;
    this.#progress.ariaHidden = "true";
  }

  /** @param {string} text */
  say(text) {
    this.#place.textContent = text;
  }

  /** Says what is being loaded, and how far it is. @param {Loading} loading */
  sayLoading({ what, fraction }) {
    // An engine that says no more than this says nothing.
    const isNamed = what !== "" && what !== "loading";
    const said = isNamed ? `${LOADING}: ${what}` : LOADING;
    if (this.#progress.parentNode === null || said !== this.#loading)
      this.#place.replaceChildren(said, this.#progress);
    this.#loading = said;
    this.#progress.textContent = what === "" ? "" : `${isNamed ? "," : ":"} ${Math.round(fraction * 100)} %`;
  }
}
