import { fileName, oggOf, wavOf } from "../record/download.js";
import { copy } from "./clipboard.js";
import { fragmentOf } from "./link.js";
import { curlOf, javaScriptOf, pythonOf } from "./samples.js";

/** @typedef {import("./elements.js").elements} Elements */
/** @typedef {import("./link.js").Screen} Screen */
/** @typedef {import("./server.js").Server} Server */
/** @typedef {import("./utterance.js").Utterance} Utterance */

/** A file may be needed so long after it was asked for, in ms. */
const KEPT_MS = 60_000;

/**
 * Buttons that copy what is on the screen: as a link, or as a program.
 * @param {Elements} elements
 * @param {() => Screen} screenNow
 * @param {Server} server
 * @param {(text: string) => void} say
 */
export function offerCopies(elements, screenNow, server, say) {
  const place = () => ({ origin: server.origin, key: server.apiKey !== null });
  const link = () => `${location.href.replace(/#.*$/s, "")}#${fragmentOf(screenNow())}`;
  /** @type {[HTMLButtonElement, string, () => string][]} */
  const offers = [
    [elements.copyLink, "A link to what is on the screen", link],
    [elements.copyCurl, "A curl command", () => curlOf(screenNow(), place())],
    [elements.copyPython, "A Python program", () => pythonOf(screenNow(), place())],
    [elements.copyJavaScript, "A JavaScript program", () => javaScriptOf(screenNow(), place())],
  ];
  for (const [button, name, make] of offers) {
    button.addEventListener("click", async () => {
      const copied = await copy(make());
      say(copied ? `${name} is on the clipboard.` : "This browser lets the page not use the clipboard.");
    });
  }
}

/**
 * Buttons that save what was said.
 * @param {Elements} elements
 * @param {() => Utterance | null} shown
 * @param {(problem: string) => void} tell
 */
export function offerDownloads(elements, shown, tell) {
  /** @type {[HTMLButtonElement, string, (log: Utterance["log"]) => Promise<Blob>][]} */
  const offers = [
    [elements.downloadOgg, "ogg", oggOf],
    [elements.downloadWav, "wav", wavOf],
  ];
  for (const [button, suffix, make] of offers) {
    button.addEventListener("click", async () => {
      const log = shown()?.log;
      if (log === undefined) return;
      try {
        save(await make(log), fileName(log, suffix));
      } catch (error) {
        tell(error instanceof Error ? error.message : String(error));
      }
    });
  }
}

/** @type {(file: Blob, name: string) => void} */
function save(file, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
}
