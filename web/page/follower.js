const KEYS = new Set(["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", " "]);
/** The word is kept in this part of what is seen, from the top. */
const LOWEST = 0.7;
/** After scrolling it is here. */
const PLACE = 0.3;

/** Scrolls along with the word that sounds, unless the reader has scrolled away. */
export class Follower {
  #root;
  #button;
  #isFollowing = true;
  /** @type {HTMLElement | null} */
  #word = null;
  #calm = matchMedia("(prefers-reduced-motion: reduce)");

  /**
   * @param {HTMLElement} root which scrolls
   * @param {HTMLButtonElement} button that brings the reader back
   */
  constructor(root, button) {
    this.#root = root;
    this.#button = button;
    const leave = () => this.#set(false);
    root.addEventListener("wheel", leave, { passive: true });
    root.addEventListener("touchmove", leave, { passive: true });
    root.addEventListener("keydown", ({ key }) => KEYS.has(key) && leave());
    // The scroll bar: the only part of it that is beyond its content.
    root.addEventListener("pointerdown", (event) => event.offsetX > root.clientWidth && leave());
    root.addEventListener("scroll", () => this.#isSeen() && this.#set(true), { passive: true });
    button.addEventListener("click", () => {
      this.#set(true);
      this.follow(this.#word);
      root.focus({ preventScroll: true });
    });
  }

  /** A new text. */
  begin() {
    this.#word = null;
    this.#set(true);
  }

  /** @param {HTMLElement | null} word that sounds */
  follow(word) {
    this.#word = word;
    const isSeen = this.#isSeen();
    this.#button.hidden = this.#isFollowing || isSeen;
    if (word === null || !this.#isFollowing || isSeen) return;
    const { top } = word.getBoundingClientRect();
    const { top: rootTop, height } = this.#root.getBoundingClientRect();
    this.#root.scrollTo({
      top: this.#root.scrollTop + top - rootTop - height * PLACE,
      behavior: this.#calm.matches ? "auto" : "smooth",
    });
  }

  #isSeen() {
    if (this.#word === null) return true;
    const { top, bottom } = this.#word.getBoundingClientRect();
    const { top: rootTop, height } = this.#root.getBoundingClientRect();
    return top >= rootTop && bottom <= rootTop + height * LOWEST;
  }

  /** @param {boolean} following */
  #set(following) {
    this.#isFollowing = following;
    if (following) this.#button.hidden = true;
  }
}
