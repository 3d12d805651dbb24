// How the timeline looks: its style sheet, and the colours that the canvas takes from it.

/**
 * A page may set `--timeline-ink`, `-muted`, `-line`, `-paper`, `-a` to `-d` (segments), `-sound`, `-hand`, `-gap`
 * (underruns), `-wait` (for text), `-lost` (no connection), `-cut` (interrupts) and `-focus`; what it does not set is as below.
 */
const STYLE = `
:host {
  --ink: var(--timeline-ink, #1c2128);
  --muted: var(--timeline-muted, #5b6472);
  --line: var(--timeline-line, #d9dee5);
  --paper: var(--timeline-paper, #ffffff);
  --a: var(--timeline-a, #2f6fde);
  --b: var(--timeline-b, #0f9488);
  --c: var(--timeline-c, #c27803);
  --d: var(--timeline-d, #8b53d6);
  --sound: var(--timeline-sound, #1c2128);
  --hand: var(--timeline-hand, #2f6fde);
  --gap: var(--timeline-gap, #d42a3c);
  --wait: var(--timeline-wait, #5b6472);
  --lost: var(--timeline-lost, #7a8494);
  --cut: var(--timeline-cut, #c2185b);
  --focus: var(--timeline-focus, #2f6fde);
  display: block;
  color: var(--ink);
  font-size: 0.8125rem;
}
@media (prefers-color-scheme: dark) {
  :host {
    --ink: var(--timeline-ink, #e8ecf2);
    --muted: var(--timeline-muted, #9ba6b6);
    --line: var(--timeline-line, #303845);
    --paper: var(--timeline-paper, #14181e);
    --a: var(--timeline-a, #7fadff);
    --b: var(--timeline-b, #4fd1c5);
    --c: var(--timeline-c, #f0b44c);
    --d: var(--timeline-d, #c6a0ff);
    --sound: var(--timeline-sound, #e8ecf2);
    --hand: var(--timeline-hand, #7fadff);
    --gap: var(--timeline-gap, #ff6b78);
    --wait: var(--timeline-wait, #9ba6b6);
    --lost: var(--timeline-lost, #8d98a9);
    --cut: var(--timeline-cut, #ff79ae);
    --focus: var(--timeline-focus, #7fadff);
  }
}
@media (forced-colors: active) {
  :host {
    --ink: CanvasText; --muted: CanvasText; --wait: CanvasText; --line: GrayText; --paper: Canvas; --sound: CanvasText;
    --a: LinkText; --b: Highlight; --c: LinkText; --d: Highlight; --hand: LinkText;
  }
}
.bar { display: flex; flex-wrap: wrap; gap: 0.25rem; justify-content: flex-end; margin-block-end: 0.25rem; }
button {
  font: inherit; color: inherit; background: none; border: 1px solid var(--line); border-radius: 0.375rem;
  min-width: 2rem; min-height: 1.75rem; padding: 0 0.5rem; cursor: pointer;
}
button[aria-pressed="true"] { background: var(--line); border-color: var(--muted); }
button:hover { border-color: var(--muted); }
button:focus-visible, .stage:focus-visible, summary:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
.stage { position: relative; border-radius: 0.375rem; touch-action: pan-y; }
canvas { display: block; width: 100%; cursor: crosshair; }
.tip {
  position: absolute; inset-block-start: 0; inset-inline-start: 0; max-width: min(20rem, 90%); pointer-events: none;
  padding: 0.375rem 0.5rem; border-radius: 0.375rem; border: 1px solid var(--line); background: var(--paper);
  color: var(--ink); box-shadow: 0 2px 10px rgb(0 0 0 / 18%); line-height: 1.35; z-index: 1;
}
.tip[hidden] { display: none; }
.tip strong { display: block; font-weight: 600; }
.tip span { display: block; color: var(--muted); overflow-wrap: anywhere; }
details { margin-block-start: 0.5rem; }
summary { cursor: pointer; color: var(--muted); width: fit-content; }
.scroll { overflow: auto; max-height: 24rem; }
table { border-collapse: collapse; margin-block: 0.5rem; font-variant-numeric: tabular-nums; }
th, td { text-align: start; vertical-align: top; padding: 0.2rem 0.75rem 0.2rem 0; border-block-end: 1px solid var(--line); }
th { font-weight: 600; color: var(--muted); }
td:first-child { min-width: 10rem; }
td.number { white-space: nowrap; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
`;

/**
 * @typedef {object} Colours
 * @property {string} ink
 * @property {string} muted
 * @property {string} line
 * @property {string} paper
 * @property {string[]} segments one after another, and from the first again
 * @property {string} sound
 * @property {string} hand
 * @property {string} gap
 * @property {string} wait
 * @property {string} lost
 * @property {string} cut
 * @property {string} focus
 * @property {string} font a family
 */

/** @param {ShadowRoot} root */
export function dress(root) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
}

/**
 * @param {HTMLElement} host
 * @returns {Colours} as they are now
 */
export function coloursOf(host) {
  const style = getComputedStyle(host);
  /** @param {string} name */
  const colour = (name) => style.getPropertyValue(`--${name}`).trim() || "gray";
  return {
    ink: colour("ink"),
    muted: colour("muted"),
    line: colour("line"),
    paper: colour("paper"),
    segments: ["a", "b", "c", "d"].map(colour),
    sound: colour("sound"),
    hand: colour("hand"),
    gap: colour("gap"),
    wait: colour("wait"),
    lost: colour("lost"),
    cut: colour("cut"),
    focus: colour("focus"),
    font: style.fontFamily || "sans-serif",
  };
}
