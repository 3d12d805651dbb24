// Drives Firefox for the tests: a JSON object a line in, a JSON object a line out, in the same order.
//
// First of all it says {version}. Then, `page` being the number that "open" gave:
//   {do: "open", url, scripts}      -> {result: page}; `scripts` run in it before its own
//   {do: "call", page, path, args}  -> {result} of this method of puppeteer's page: "click", "keyboard.press"
//   {do: "told", page}              -> {result: {complaints, requests}}, of all its time
//   {do: "close", page}             -> {result: null}
// or {error}. It ends, and Firefox with it, when its input ends.
import process from "node:process";
import { createInterface } from "node:readline";
import { ADDRESS, echoModules, moduleAskedFor } from "./echo.js";

/** Where nobody listens, as the way to every address but this machine's. */
const NOWHERE = Object.fromEntries(
  ["http", "ssl", "socks"].flatMap((kind) => [
    [`network.proxy.${kind}`, "127.0.0.1"],
    [`network.proxy.${kind}_port`, 9],
  ]),
);
/** For anything to be there. */
const PATIENCE_MS = 25_000;
const PREFERENCES = {
  ...NOWHERE,
  "network.proxy.type": 1,
  "network.proxy.no_proxies_on": "127.0.0.1, localhost",
  // Without a loudspeaker no AudioContext ever runs. This one takes 10 ms of sound each 10 ms, or later.
  "media.cubeb.force_mock_context": true,
};

/**
 * @typedef {object} Opened
 * @property {import("./puppeteer.js").Page} page
 * @property {string[]} complaints errors and warnings on the console, and exceptions nobody caught
 * @property {string[]} requests addresses of everything that was asked for
 */

/** @type {Opened[]} */
const opened = [];
// By a name that the type checker does not follow.
const PACKAGE = "puppeteer-core";
/** @type {{default: import("./puppeteer.js").Puppeteer}} */
const { default: puppeteer } = await import(PACKAGE);
const [executablePath = ""] = process.argv.slice(2);
const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath,
  headless: true,
  extraPrefsFirefox: PREFERENCES,
});

/** @type {Record<string, (request: any) => any>} */
const COMMANDS = {
  async open({ url, scripts }) {
    // Of its own: cookies, storage.
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    const number = opened.push(listenTo(page)) - 1;
    page.setDefaultTimeout(PATIENCE_MS);
    await page.setRequestInterception(true);
    await page.evaluateOnNewDocument(echoModules, ADDRESS);
    for (const script of scripts) await page.evaluateOnNewDocument(script);
    await page.goto(url);
    return number;
  },
  call({ page, path, args }) {
    const names = path.split(".");
    const method = names.pop();
    /** @type {any} */
    let target = known(page).page;
    for (const name of names) target = target[name];
    return target[method](...args);
  },
  told({ page }) {
    const { complaints, requests } = known(page);
    return { complaints, requests };
  },
  async close({ page }) {
    await known(page).page.browserContext().close();
  },
};

/**
 * @param {import("./puppeteer.js").Page} page
 * @returns {Opened}
 */
function listenTo(page) {
  /** @type {string[]} */
  const complaints = [];
  /** @type {string[]} */
  const requests = [];
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
  });
  // Firefox's own warnings as well.
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    const body = moduleAskedFor(request.url());
    if (body !== null) return request.respond({ contentType: "text/javascript", body });
    requests.push(request.url());
    return request.continue();
  });
  return { page, complaints, requests };
}

/** @param {number} page */
function known(page) {
  const found = opened[page];
  if (!found) throw new Error(`There is no page ${page}.`);
  return found;
}

/** @param {object} message */
function tell(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** @param {string} line */
async function answer(line) {
  const request = JSON.parse(line);
  try {
    const result = await COMMANDS[request.do]?.(request);
    // Objects of puppeteer's own are of no use to who reads this.
    const isPlain = Object(result) !== result || [Object, Array].includes(result.constructor);
    tell({ result: isPlain ? (result ?? null) : null });
  } catch (error) {
    tell({ error: String(error) });
  }
}

tell({ version: await browser.version() });
for await (const line of createInterface({ input: process.stdin })) await answer(line);
await browser.close();
