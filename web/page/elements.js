// The elements of index.html that have a part in what happens.

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
function find(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`the page has no ${kind.name} with the id "${id}"`);
  return element;
}

export const elements = {
  compose: find("compose", HTMLFormElement),
  text: find("text", HTMLTextAreaElement),
  room: find("room", HTMLElement),
  speak: find("speak", HTMLButtonElement),
  interrupt: find("interrupt", HTMLButtonElement),
  problem: find("problem", HTMLElement),
  examples: find("examples", HTMLElement),
  llm: find("llm", HTMLInputElement),
  pace: find("pace", HTMLElement),
  rate: find("rate", HTMLInputElement),
  rateNow: find("rate-now", HTMLOutputElement),
  jitter: find("jitter", HTMLInputElement),
  settings: find("settings", HTMLDetailsElement),
  settingsNow: find("settings-now", HTMLElement),
  voice: find("voice", HTMLSelectElement),
  language: find("language", HTMLSelectElement),
  speed: find("speed", HTMLInputElement),
  speedNow: find("speed-now", HTMLOutputElement),
  player: find("player", HTMLSelectElement),
  playerNow: find("player-now", HTMLElement),
  connection: find("connection", HTMLElement),
  status: find("status", HTMLElement),
  firstName: find("first-name", HTMLElement),
  firstSound: find("first-sound", HTMLElement),
  silence: find("silence", HTMLElement),
  heard: find("heard", HTMLElement),
  said: find("said", HTMLElement),
  welcome: find("welcome", HTMLElement),
  follow: find("follow", HTMLButtonElement),
  unlock: find("unlock", HTMLButtonElement),
  legend: find("legend", HTMLElement),
  waveform: find("waveform", HTMLCanvasElement),
  timeline: find("timeline", HTMLElement),
  after: find("after", HTMLElement),
  unsaved: find("unsaved", HTMLElement),
  downloadOgg: find("download-ogg", HTMLButtonElement),
  downloadWav: find("download-wav", HTMLButtonElement),
  copyLink: find("copy-link", HTMLButtonElement),
  copyCurl: find("copy-curl", HTMLButtonElement),
  copyPython: find("copy-python", HTMLButtonElement),
  copyJavaScript: find("copy-javascript", HTMLButtonElement),
  figures: find("figures", HTMLElement),
  earlier: find("earlier", HTMLElement),
  utterances: find("utterances", HTMLElement),
  key: find("key", HTMLDialogElement),
};
