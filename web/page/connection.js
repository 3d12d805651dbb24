/** @typedef {{state: string, retryInMs?: number, reason?: string}} State */

/**
 * Shows how the connection is.
 * @param {HTMLElement} root
 */
export function connectionIn(root) {
  const words = /** @type {HTMLElement} */ (root.querySelector(".words"));
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let counting;
  let isOpen = false;

  return {
    /** @param {State} detail */
    state({ state, retryInMs, reason }) {
      clearInterval(counting);
      isOpen = state === "open";
      root.dataset.state = state;
      root.title = reason ?? "";
      // Without a reason it is closed because nobody was here.
      const what = state === "closed" && !reason ? "at rest until you speak" : (WORDS[state] ?? state);
      words.textContent = what;
      if (retryInMs === undefined || retryInMs < 1000) return;
      const until = performance.now() + retryInMs;
      const count = () => {
        const seconds = Math.max(1, Math.ceil((until - performance.now()) / 1000));
        words.textContent = `${what}, trying again in ${seconds} s`;
      };
      count();
      counting = setInterval(count, 1000);
    },
    /** @param {number} ms there and back */
    way(ms) {
      if (isOpen) words.textContent = `connected, ${Math.max(1, Math.round(ms))} ms`;
    },
  };
}

/** @type {Record<string, string>} */
const WORDS = {
  connecting: "connecting",
  open: "connected",
  lost: "connection lost, taking it up again",
  closed: "not connected",
};
