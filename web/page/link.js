// What is on the screen, as a part of the address: whoever opens it sees the same.

/**
 * What a person has set. `voice` and `player` may be "" (none in particular), `language` "auto".
 * @typedef {object} Screen
 * @property {string} text
 * @property {string} voice
 * @property {string} language
 * @property {number} speed 0.5 to 2
 * @property {boolean} llm whether the text is sent token by token
 * @property {number} rate tokens per second
 * @property {boolean} jitter
 * @property {string} player
 */

/** @type {Screen} */
export const DEFAULTS = Object.freeze({
  text: "",
  voice: "",
  language: "auto",
  speed: 1,
  llm: false,
  rate: 30,
  jitter: true,
  player: "",
});

/**
 * @param {Screen} screen
 * @returns {string} a fragment without its "#"; what is as always is left out
 */
export function fragmentOf(screen) {
  const fields = new URLSearchParams();
  for (const [name, usual] of Object.entries(DEFAULTS)) {
    const value = screen[/** @type {keyof Screen} */ (name)];
    if (value !== usual) fields.set(name, value === true ? "1" : value === false ? "0" : `${value}`);
  }
  // A space as "+" is not undone by everybody who takes links apart.
  return fields.toString().replaceAll("+", "%20");
}

/**
 * What a fragment says; only what is there and makes sense.
 * @param {string} fragment with or without its "#"
 * @returns {Partial<Screen>}
 */
export function screenOf(fragment) {
  const fields = new URLSearchParams(fragment.replace(/^#/, "").replaceAll("+", "%2B"));
  /** @type {Partial<Screen>} */
  const screen = {};
  for (const name of /** @type {const} */ (["text", "voice", "language", "player"])) {
    const value = fields.get(name);
    if (value !== null) screen[name] = value;
  }
  for (const [name, least, most] of /** @type {const} */ ([
    ["speed", 0.5, 2],
    ["rate", 5, 200],
  ])) {
    const value = Number(fields.get(name) ?? Number.NaN);
    if (value >= least && value <= most) screen[name] = value;
  }
  for (const name of /** @type {const} */ (["llm", "jitter"])) {
    const value = fields.get(name);
    if (value !== null) screen[name] = value === "1" || value === "true";
  }
  return screen;
}
