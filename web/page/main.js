import { Timeline } from "../record/timeline.js";
import { Waveform } from "../record/waveform.js";
import { connectionIn } from "./connection.js";
import { Earlier } from "./earlier.js";
import { elements } from "./elements.js";
import { EXAMPLES, GREETING } from "./examples.js";
import { askForKey, keepKey, keptKey } from "./key.js";
import { DEFAULTS, screenOf } from "./link.js";
import { Playback } from "./playback.js";
import { Server, ServerError } from "./server.js";
import { Settings } from "./settings.js";
import { Sound } from "./sound.js";
import { Speaking } from "./speaking.js";
import { Stage } from "./stage.js";
import { Status } from "./status.js";
import { offerCopies, offerDownloads } from "./take-away.js";
import { bytesOf, counted, sentence } from "./text.js";

/** @typedef {import("./link.js").Screen} Screen */
/** @typedef {import("./utterance.js").Utterance} Utterance */
/** @typedef {import("../realtime.js").RealtimeError} RealtimeError */

/** Puts the page together, and has it ready to speak. */
export async function begin() {
  document.documentElement.dataset.running = "true";
  const page = new Page();
  await page.open();
}

class Page {
  #server = new Server();
  #sound = new Sound();
  #status = new Status(elements.status);
  #settings = new Settings(elements);
  #speaking = new Speaking(
    (isTrack) => this.#server.sessionOver(isTrack),
    () => this.#sound.silence(),
  );
  #stage = new Stage(elements, new Timeline(elements.timeline));
  #earlier = new Earlier(elements.earlier, elements.utterances, (utterance) => this.#look(utterance));
  #playback = new Playback(
    elements,
    this.#sound,
    this.#speaking,
    (text) => this.#tellProblem(text),
    (text) => this.#say(text),
    (isTrack) => this.#isMet && this.#server.sessionOver(isTrack),
  );
  /** Whether the problem that is shown is one of the connection, and over when that is back. */
  #isUnconnected = false;
  #isDrawing = false;
  /** Whether the server lets us in. */
  #isMet = false;
  /** What is to be spoken as soon as there is a player for it. @type {symbol | null} */
  #waiting = null;

  async open() {
    new Waveform(elements.waveform, this.#sound.analyser);
    this.#settings.set({ ...DEFAULTS, text: GREETING, ...screenOf(location.hash) });
    this.#listenToPeople();
    this.#listenToSpeaking();
    this.#listenToServer();
    offerCopies(
      elements,
      () => this.#settings.screen,
      this.#server,
      (text) => this.#say(text),
    );
    offerDownloads(
      elements,
      () => this.#stage.shown,
      (text) => this.#tellProblem(text),
    );
    this.#server.apiKey = keptKey();
    await Promise.all([this.#meetServer(), this.#takePlayer()]);
  }

  // -- people -----------------------------------------------------------------------------------------------

  #listenToPeople() {
    const { compose, text, interrupt, unlock } = elements;
    compose.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#speak(event.timeStamp);
    });
    text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#speak(event.timeStamp);
    });
    text.addEventListener("input", () => this.#checkRoom());
    interrupt.addEventListener("click", (event) => this.#interrupt(event.timeStamp));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !elements.key.open) this.#interrupt(event.timeStamp);
    });
    unlock.addEventListener("click", () => this.#sound.expect());
    for (const type of ["pointerdown", "pointerup", "keydown"]) {
      const here = () => {
        this.#sound.unlock();
        this.#server.wake();
      };
      document.addEventListener(type, here, { capture: true, passive: true });
    }
    document.addEventListener("visibilitychange", () => !document.hidden && this.#server.wake());
    window.addEventListener("pagehide", () => this.#server.leave());
    window.addEventListener("pageshow", ({ persisted }) => persisted && this.#server.wake());
    window.addEventListener("hashchange", () => {
      if (location.hash.length > 1) this.#settings.set({ ...DEFAULTS, ...screenOf(location.hash) });
    });
    if (matchMedia("(min-width: 60rem)").matches) elements.settings.open = true;
    if (matchMedia("(hover: hover) and (pointer: fine)").matches) text.focus({ preventScroll: true });
  }

  /** @param {number} askedAt in ms of performance.now() */
  #speak(askedAt) {
    const screen = this.#settings.screen;
    if (screen.text.trim() === "") {
      this.#say("There is no text yet: type some.");
      elements.text.focus();
      return;
    }
    if (!this.#checkRoom()) {
      this.#say(elements.room.textContent ?? "");
      elements.text.focus();
      return;
    }
    if (document.documentElement.dataset.ready !== "true") this.#say("One moment: connecting.");
    if (!this.#isUnconnected) this.#tellProblem("");
    this.#sound.expect();
    if (this.#playback.making === null) this.#begin(screen, askedAt);
    else this.#beginLater(screen, askedAt);
    // On a touch screen the keyboard lies over the words.
    if (matchMedia("(pointer: coarse)").matches) {
      elements.text.blur();
      elements.status.scrollIntoView({ block: "nearest" });
    }
  }

  /** @type {(screen: Screen, askedAt: number) => void} */
  #begin(screen, askedAt) {
    try {
      this.#speaking.speak(screen, askedAt);
    } catch (error) {
      this.#tellProblem(error instanceof Error ? error.message : String(error));
    }
  }

  /**
   * Speaks with the player that is being made, unless something else is asked for before.
   * @type {(screen: Screen, askedAt: number) => Promise<void>}
   */
  async #beginLater(screen, askedAt) {
    this.#interrupt(askedAt);
    const waiting = Symbol();
    this.#waiting = waiting;
    while (this.#playback.making !== null) await this.#playback.making;
    if (this.#waiting !== waiting) return;
    this.#waiting = null;
    this.#begin(screen, askedAt);
  }

  /** @param {number} askedAt in ms of performance.now() */
  #interrupt(askedAt) {
    this.#waiting = null;
    this.#speaking.interrupt(askedAt);
  }

  /** Whether the server takes as much text; says so when it does not. */
  #checkRoom() {
    const most = this.#server.ready?.limits.text_bytes_per_context ?? Number.POSITIVE_INFINITY;
    const bytes = elements.text.value.length * 3 < most ? 0 : bytesOf(this.#settings.screen.text);
    const fits = bytes <= most;
    elements.room.textContent = fits
      ? ""
      : `This is too long: ${counted(bytes)} bytes, and the server takes ${counted(most)}.`;
    elements.text.setAttribute("aria-invalid", `${!fits}`);
    elements.speak.setAttribute("aria-disabled", `${!fits}`);
    return fits;
  }

  /** @param {Utterance} utterance */
  #look(utterance) {
    this.#stage.show(utterance);
    this.#earlier.mark(utterance);
    elements.said.scrollIntoView({ block: "nearest" });
  }

  // -- what is spoken ---------------------------------------------------------------------------------------

  #listenToSpeaking() {
    /** @type {(type: string, take: (utterance: Utterance) => void) => void} */
    const on = (type, take) =>
      this.#speaking.addEventListener(type, (event) => {
        const { detail } = /** @type {CustomEvent<Utterance>} */ (event);
        take(detail);
        this.#earlier.update(detail);
        if (this.#stage.shown === detail) this.#stage.update();
      });
    on("began", (utterance) => {
      this.#earlier.add(utterance);
      this.#look(utterance);
      this.#setSpeaking(true);
      const isConnected = elements.connection.dataset.state === "open";
      this.#say(isConnected ? "" : "There is no connection yet: it is spoken as soon as there is.");
      this.#draw();
    });
    on("loading", ({ loading }) => {
      // What has to be done by the listener is not overwritten.
      if (loading !== null && elements.unlock.hidden) this.#status.sayLoading(loading);
    });
    on("playing", () => this.#say("Speaking."));
    on("over", (utterance) => {
      if (this.#speaking.current === null) this.#setSpeaking(false);
      this.#say(endOf(utterance));
    });
    on("answered", (utterance) => {
      if (this.#speaking.current === null) this.#say(endOf(utterance));
    });
    on("problem", (utterance) => this.#tellProblem(utterance.problem ?? ""));
    this.#sound.addEventListener("audible", (event) => {
      const isAudible = /** @type {CustomEvent<boolean>} */ (event).detail;
      const isMuted = !isAudible && this.#speaking.current !== null;
      this.#speaking.setAudible(!isMuted);
      elements.unlock.hidden = !isMuted;
      const touched = navigator.userActivation?.hasBeenActive ?? false;
      if (isMuted && touched)
        this.#say("The sound does not start. Is there a loudspeaker? Click to try again.");
      else if (isMuted) this.#say("Your browser lets no page sound before it was touched: click to hear.");
    });
  }

  /** @param {boolean} speaking */
  #setSpeaking(speaking) {
    document.body.dataset.speaking = `${speaking}`;
    elements.interrupt.setAttribute("aria-disabled", `${!speaking}`);
    if (!speaking) elements.unlock.hidden = true;
  }

  /** Lights up the words as they are heard, as long as anything is spoken and the page is seen. */
  #draw() {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    const next = () => {
      const utterance = this.#speaking.current;
      this.#isDrawing = utterance !== null;
      if (utterance === null) return;
      utterance.lightTo(this.#speaking.playedMs);
      if (this.#stage.shown === utterance) this.#stage.update();
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  }

  // -- the server -------------------------------------------------------------------------------------------

  #listenToServer() {
    const show = connectionIn(elements.connection);
    /** @type {(type: string, take: (detail: any) => void) => void} */
    const on = (type, take) =>
      this.#server.addEventListener(type, (event) => take(/** @type {CustomEvent} */ (event).detail));
    on("state", (detail) => {
      show.state(detail);
      if (detail.state === "lost") this.#speaking.setConnection(true);
      if (detail.state === "closed" && detail.retryInMs !== undefined) this.#tellUnconnected(detail.reason);
    });
    on("way", show.way);
    on("session", ({ session, isTrack }) => this.#playback.join(session, isTrack));
    on("back", () => {
      this.#speaking.setConnection(false);
      this.#say("The connection was lost and is back. Nothing is missing.");
    });
    on("ready", ({ features }) => {
      this.#playback.offer(features);
      if (this.#isUnconnected) this.#tellProblem("");
      this.#checkRoom();
      this.#checkReady();
    });
    on("refused", (/** @type {RealtimeError} */ error) => {
      if (error.code === "unauthorized") this.#askForKey(error.message);
      else if (error.code === "unsupported") this.#playback.fallBack("This server has no WebRTC");
    });
  }

  /** Asks for the voices, which tells whether a key is needed, and has a session begun. */
  async #meetServer() {
    try {
      const voices = await this.#server.voices();
      this.#settings.offer(voices);
      this.#offerExamples();
      this.#isMet = true;
      this.#server.sessionOver(this.#playback.player?.isTrack ?? this.#settings.screen.player === "webrtc");
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      if (error.status === 401) {
        await this.#askForKey(this.#server.apiKey === null ? "" : error.message);
        return;
      }
      this.#tellUnconnected(error.message);
      setTimeout(() => this.#meetServer(), error.retryAfterMs ?? 2000);
    }
  }

  /** @param {string} why the key there was is not taken; "" when there was none */
  async #askForKey(why) {
    if (elements.key.open) return;
    const key = await askForKey(elements.key, why);
    if (key === null) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Give a key";
      button.addEventListener("click", () => this.#askForKey(why));
      this.#tellProblem("Without a key this server does not speak. ", button);
      return;
    }
    keepKey(key);
    this.#server.apiKey = key;
    this.#tellProblem("");
    await this.#meetServer();
  }

  #offerExamples() {
    const buttons = EXAMPLES.filter(({ spoken }) => this.#settings.speaks(spoken)).map((example) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = example.label;
      button.lang = example.spoken;
      button.addEventListener("click", (event) => {
        const { text, language = DEFAULTS.language, llm = false } = example;
        this.#settings.set({ text, language, llm, voice: DEFAULTS.voice });
        this.#speak(event.timeStamp);
      });
      return button;
    });
    elements.examples.replaceChildren(...buttons);
  }

  // -- how it plays -----------------------------------------------------------------------------------------

  async #takePlayer() {
    await this.#playback.begin(this.#settings.screen.player);
    this.#checkReady();
  }

  #checkReady() {
    const isReady = this.#playback.player !== null && this.#server.ready !== null;
    if (!isReady || document.documentElement.dataset.ready === "true") return;
    document.documentElement.dataset.ready = "true";
    this.#say("Ready.");
  }

  // -- what is told -----------------------------------------------------------------------------------------

  /** @param {string} text */
  #say(text) {
    this.#status.say(text);
  }

  /** @param {string} text @param {...Node} more */
  #tellProblem(text, ...more) {
    this.#isUnconnected = false;
    elements.problem.hidden = text === "";
    elements.problem.replaceChildren(text, ...more);
  }

  /** @param {string} why */
  #tellUnconnected(why) {
    const told = sentence(why);
    // What is told again is not read out again.
    if (!this.#isUnconnected || elements.problem.textContent !== told) this.#tellProblem(told);
    this.#isUnconnected = true;
  }
}

/** How an utterance ended, in words. @param {Utterance} utterance */
function endOf({ state, heardCount, units, text }) {
  const words = `${counted(heardCount)} of ${counted(units.length)} ${units.length === 1 ? "word was" : "words were"} heard.`;
  if (state === "interrupted") return `Interrupted: ${words}`;
  if (state === "failed") return `It ended with an error: ${words}`;
  if (state !== "unspoken") return "Heard to the end.";
  return /\p{L}/u.test(text)
    ? "Nothing of this text can be spoken: no voice here reads it."
    : "There is nothing to say in this text.";
}
