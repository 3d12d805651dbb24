/** What the players by MediaSource and ManagedMediaSource have in common: two decks that take turns. */

import { Deck } from "./deck.js";
import { RATE } from "./opus.js";
import { heardAt, heardTime, Player } from "./player.js";
import { createTicker, Ticker } from "./ticker.js";
import { feed, Utterance } from "./utterance.js";

/** @typedef {import("./player.js").Frame} Frame */

/**
 * While text is awaited, silence is put in so that there are always so many milliseconds ahead: whoever runs
 * dry in Chromium must wait for twice as much sound the next time. What comes then is late by less than
 * this.
 */
const AHEAD_MS = 80;
/** Sound that is too little to begin with is followed by silence after this time: its end must be heard. */
const PATIENCE_MS = 120;
/** Where a browser stops for lack of sound there may be a little left, less than this; in samples. */
const LEAST_SOUND = 960;

/**
 * @param {import("./player.js").Kind} kind
 * @param {string} label
 * @param {AudioContext} context at 48 kHz, may be suspended
 * @param {import("./deck.js").Medium} medium
 * @returns {Promise<Player>}
 */
export async function createSourcePlayer(kind, label, context, medium) {
  const bunny = await import("../vendor/mediabunny.js");
  const player = new SourcePlayer(kind, label, context, bunny, medium);
  await player.prepare();
  return player;
}

class SourcePlayer extends Player {
  /** Those that were not heard to their end, in the order of playing. @type {Utterance[]} */
  #live = [];
  /** @type {Deck[]} */
  #decks;
  #ticker = new Ticker();
  #paused = false;
  #closed = false;
  #onstate = () => this.#stateChanged();

  /**
   * @param {import("./player.js").Kind} kind
   * @param {string} label
   * @param {AudioContext} context
   * @param {import("./mux.js").Mediabunny} bunny
   * @param {import("./deck.js").Medium} medium
   */
  constructor(kind, label, context, bunny, medium) {
    super(kind, label, context);
    this.#decks = [0, 1].map(() => {
      const deck = new Deck(context, this.output, bunny, medium, (why, fatal) =>
        this.#failed(deck, why, fatal),
      );
      for (const type of ["playing", "waiting", "ended", "timeupdate"]) {
        deck.element.addEventListener(type, () => this.#onmedia(deck, type));
      }
      return deck;
    });
    context.addEventListener("statechange", this.#onstate);
  }

  /** To be awaited before it is used. */
  async prepare() {
    this.#ticker = await createTicker(this.context, this.output);
    this.#ticker.ontick = () => this.#tick();
  }

  /**
   * @override
   * @param {string} key
   * @param {Frame} frame
   * @param {number} preSkip
   */
  push(key, frame, preSkip) {
    if (this.#closed || !this.playable(key, frame)) return;
    let one = this.#find(key);
    if (!one || one.complete) {
      if (frame.position > 0) return;
      one = this.#begin(key, preSkip);
    }
    if (!this.hasRoom(key)) return;
    one.pushed += frame.duration;
    one.pushedAt = performance.now();
    if (one.deck) feed(one, one.deck, frame);
    else one.frames.push(frame);
    if (frame.last) this.#complete(one);
    this.#play();
  }

  /**
   * @override
   * @param {string} key
   */
  end(key) {
    const one = this.#find(key);
    if (one) this.#complete(one);
  }

  /** @override */
  stop() {
    this.#head()?.note(this.context.currentTime);
    const heard = heardTime(this.context);
    for (const one of this.#live) {
      this.remember(one.key, one.heardAt(heard));
      one.deck?.silence();
    }
    this.#live = [];
    this.#paused = false;
    this.#ticker.stop();
  }

  /** @override */
  pause() {
    if (!this.#paused) this.#head()?.deck?.silence(true);
    this.#paused = true;
  }

  /** @override */
  resume() {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.context.state === "running") this.#head()?.deck?.goOn();
  }

  /**
   * @override
   * @param {string} key
   * @returns {number}
   */
  playedMs(key) {
    const one = this.#find(key);
    if (!one) return super.playedMs(key);
    one.note(this.context.currentTime);
    return one.heardAt(heardTime(this.context));
  }

  /**
   * @override
   * @returns {string | null}
   */
  current() {
    const heard = heardTime(this.context);
    return this.#live.find((one) => one.startTime !== null && one.startTime <= heard)?.key ?? null;
  }

  /**
   * @override
   * @returns {number}
   */
  heldMs() {
    return (this.#live.reduce((sum, one) => sum + one.pushed - one.position, 0) * 1000) / RATE;
  }

  /** @override */
  async close() {
    if (this.#closed) return;
    await super.close();
    this.#closed = true;
    this.context.removeEventListener("statechange", this.#onstate);
    for (const deck of this.#decks) deck.close();
    this.#ticker.close();
  }

  /**
   * The newest that is under this key, if it can still be heard.
   * @param {string} key
   */
  #find(key) {
    return this.#live.findLast((one) => one.key === key);
  }

  /** The one that plays, or is to play next. */
  #head() {
    return this.#live.find((one) => one.endTime === null);
  }

  /**
   * @param {string} key
   * @param {number} preSkip
   */
  #begin(key, preSkip) {
    const one = new Utterance(key, preSkip);
    this.forget(key);
    this.#live.push(one);
    this.#assign();
    this.#ticker.start();
    return one;
  }

  /** Gives decks to those that have none. */
  #assign() {
    for (const one of this.#live) {
      if (one.deck || one.endTime !== null) continue;
      const free = this.#decks.filter((each) => !each.timeline);
      const deck = free.find((each) => each.clean) ?? free[0];
      if (!deck) return;
      one.deck = deck;
      deck.begin(one.preSkip);
      for (const frame of one.frames) feed(one, deck, frame);
      one.frames = [];
      if (one.complete && one.pushed > 0) deck.finish(one.pushed);
    }
  }

  /** @param {Utterance} one */
  #complete(one) {
    if (one.complete) return;
    one.complete = true;
    if (one.pushed > 0) one.deck?.finish(one.pushed);
  }

  /** Lets the first one sound, if it may and does not yet. */
  #play() {
    const deck = this.#head()?.deck;
    if (deck?.element.paused && !this.#paused && this.context.state === "running") deck.play();
  }

  #stateChanged() {
    if (this.#closed) return;
    // What does not run may lose what a media element gives it.
    if (this.context.state === "running") this.#play();
    else this.#head()?.deck?.element.pause();
  }

  /**
   * @param {Deck} deck
   * @param {string} type
   */
  #onmedia(deck, type) {
    const one = this.#live.find((each) => each.deck === deck);
    if (!one || one.endTime !== null) return;
    if (type === "waiting" && one.startTime !== null && !(one.complete && one.position >= one.pushed)) {
      one.stalled = true;
      deck.threshold *= 2;
      this.#ranDry(one, performance.now());
    } else if (type === "playing" && one.stalled) {
      one.stalled = false;
      // What came behind silence has begun where it lies.
      this.#watch(one, false);
      // It may be only the silence that was put in for it.
      const sound = deck.timeline?.soundAt(deck.media) ?? 0;
      if (one.dryAt !== null && sound > LEAST_SOUND) this.#wentOn(one, performance.now());
    }
    if (type === "ended") one.stalled = false;
    this.#tick(type === "ended");
  }

  /** @param {boolean} ended the first one's element has played all it had */
  #tick(ended = false) {
    const head = this.#head();
    if (head) {
      this.#watch(head, ended);
      this.#fill(head);
    }
    this.#report();
    if (this.#live.length === 0) this.#ticker.stop();
  }

  /**
   * Sees what has happened to the one that plays.
   * @param {Utterance} one
   * @param {boolean} ended
   */
  #watch(one, ended) {
    const { deck } = one;
    const timeline = deck?.timeline;
    const now = this.context.currentTime;
    if (!deck || !timeline) return;
    const media = deck.media;
    const timeOf = (/** @type {number} */ place) => now - (media - place) / RATE;
    const at = (/** @type {number} */ place) => performance.now() - (media - place) / (RATE / 1000);
    const begin = timeline.mediaAt(0);
    if (one.startTime === null && media > begin) {
      one.startTime = timeOf(begin);
      this.emit("playing", {
        utterance: one.key,
        at: at(begin),
        heardAt: heardAt(this.context, one.startTime),
      });
    }
    // A browser that waits for more than there is may stand where sound begins.
    for (const run = one.stalled ? one.run : timeline.runAt(media); one.run < run; ) {
      one.run += 1;
      const { from, to } = timeline.gapBefore(one.run);
      this.#ranDry(one, at(from));
      this.#wentOn(one, at(to));
    }
    const end = timeline.mediaAt(one.pushed);
    if (one.complete) {
      if (one.pushed === 0 || ended || media >= end - 1) this.#ended(one, timeOf(end));
    } else if (one.startTime !== null && media >= timeline.realEnd) {
      this.#ranDry(one, at(timeline.realEnd));
    }
    one.note(now);
  }

  /**
   * The last sample of an utterance has left its element.
   * @param {Utterance} one
   * @param {number} time as the element tells; at its end it jumps ahead
   */
  #ended(one, time) {
    const last = one.clock.at(-1);
    const byClock = last ? last.time + (one.pushed - last.position) / RATE : time;
    one.endTime = Math.abs(byClock - time) < AHEAD_MS / 1000 ? Math.max(byClock, time) : time;
    this.#play();
  }

  /**
   * @param {Utterance} one
   * @param {number} at
   */
  #ranDry(one, at) {
    if (one.dryAt !== null) return;
    one.dryAt = at;
    this.emit("underrun", { utterance: one.key, at });
  }

  /**
   * @param {Utterance} one
   * @param {number} at
   */
  #wentOn(one, at) {
    const gapMs = at - (one.dryAt ?? at);
    one.dryAt = null;
    this.emit("continued", { utterance: one.key, at, gapMs, segmentStart: one.segmentStart });
  }

  /**
   * Puts silence behind what is there where otherwise the browser would stop, or not begin.
   * @param {Utterance} one
   */
  #fill(one) {
    const { deck } = one;
    if (!deck?.timeline || one.complete || this.#paused || one.pushed === 0) return;
    if (this.context.state !== "running") return;
    const ahead = deck.timeline.end - deck.media;
    if (one.startTime !== null && !one.stalled) {
      const least = (AHEAD_MS * RATE) / 1000;
      if (ahead < least) deck.fill(least - ahead + 1);
    } else if (performance.now() - one.pushedAt > PATIENCE_MS && ahead < deck.threshold) {
      deck.fill(deck.threshold - ahead);
    }
  }

  /** Says how far the listener is. */
  #report() {
    const heard = heardTime(this.context);
    for (const one of [...this.#live]) {
      const playedMs = one.heardAt(heard);
      const over = one.endTime !== null && heard >= one.endTime;
      if (one.startTime !== null && one.startTime <= heard) this.heardUpTo(one.key, playedMs, over);
      // A listener of the event may have stopped everything.
      if (!over || !this.#live.includes(one)) return;
      this.#forget(one, playedMs);
      this.emit("played", { utterance: one.key, at: heardAt(this.context, one.endTime ?? heard) });
    }
  }

  /**
   * @param {Utterance} one
   * @param {number} playedMs
   */
  #forget(one, playedMs) {
    this.#live = this.#live.filter((each) => each !== one);
    this.remember(one.key, playedMs);
    one.deck?.release();
    this.#assign();
    this.#play();
  }

  /**
   * @param {Deck} deck
   * @param {string} message
   * @param {boolean} fatal
   */
  #failed(deck, message, fatal) {
    const one = this.#live.find((each) => each.deck === deck);
    if (one && fatal) this.#forget(one, one.heardAt(heardTime(this.context)));
    this.emit("error", { utterance: one?.key ?? null, message });
  }
}
