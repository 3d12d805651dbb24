// Runs in a page before its own scripts: notes when keys were pressed, and when text left and sound came on its
// WebSocket. All times are wall clock, in ms. `window.watch` has what was noted.
(() => {
  /** @typedef {"key" | "typed" | "sent" | "came"} Step */
  /**
   * What happened first of each kind since `clear`.
   * @type {Partial<Record<Step, number>>}
   */
  let steps = {};
  /** @type {ArrayBuffer[]} */
  let frames = [];
  let keeping = true;
  let longTasksMs = 0;

  /** @param {number} time of performance.now() */
  const wall = (time) => Date.now() - performance.now() + time;
  /** @param {Step} step */
  const note = (step) => {
    steps[step] ??= wall(performance.now());
  };

  addEventListener(
    "keydown",
    ({ key, timeStamp }) => {
      if (key !== "Enter" && key !== "Escape") return;
      // When the browser had the key, and when the page had time for it.
      steps.key = wall(timeStamp);
      steps.typed = wall(performance.now());
    },
    true,
  );

  window.WebSocket = class extends WebSocket {
    /** @param {ConstructorParameters<typeof WebSocket>} given */
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        if (!(data instanceof ArrayBuffer)) return;
        note("came");
        if (keeping) frames.push(data.slice(0));
      });
    }

    /**
     * @override
     * @param {Parameters<WebSocket["send"]>[0]} data
     */
    send(data) {
      if (typeof data === "string" && JSON.parse(data).type === "text") note("sent");
      super.send(data);
    }
  };

  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longTasksMs = Math.max(longTasksMs, duration);
  }).observe({ type: "longtask" });

  const watch = {
    steps: () => steps,
    /** The longest time that the page's main thread was busy with one thing, in ms; 0 when all took less than 50. */
    longTasksMs: () => longTasksMs,
    /** Binary messages that came, as base64. */
    frames: () => frames.map((frame) => btoa(String.fromCharCode(...new Uint8Array(frame)))),
    /** What happens later is noted anew. */
    clear() {
      steps = {};
      frames = [];
      longTasksMs = 0;
    },
    /**
     * Whether what comes is kept; it is, unless it is told otherwise.
     * @param {boolean} what
     */
    keep(what) {
      keeping = what;
    },
    /** Waits until the page has stopped speaking. */
    quiet: () =>
      new Promise((resolve) => {
        const look = () => {
          if (document.body.dataset.speaking === "true") return;
          observer.disconnect();
          resolve(null);
        };
        const observer = new MutationObserver(look);
        observer.observe(document.body, { attributeFilter: ["data-speaking"] });
        look();
      }),
  };
  Object.assign(window, { watch });
})();
