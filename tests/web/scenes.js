// Runs in a page, after recorded.js: logs of utterances that were never spoken, as they could have been. The same scene
// has the same times always.
(() => {
  const FRAME_MS = 20;
  const LEAD_MS = 10_000;
  const GO_ON_MS = 8_000;
  const PER_CHARACTER_MS = 62;

  /**
   * @typedef {object} Scene
   * @property {string[]} sentences
   * @property {number} [rate] tokens per second; all text at once where there is none
   * @property {number} [work] seconds of work for each second of sound
   * @property {[number, number]} [outage] no frame comes from..until, ms
   * @property {[number, number]} [slow] every frame comes late from..until (places in the sound, ms)
   * @property {number} [cancelAt] ms
   */

  /** @typedef {[number, string, ...unknown[]]} Event at (ms from the first), method of the log, what it is given */

  /** @param {number} seed */
  const dice = (seed) => {
    let state = seed;
    return () => {
      state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
      return state / 2 ** 32;
    };
  };

  /**
   * @param {Scene} scene
   * @returns {{text: string, events: Event[], over: number}}
   */
  const write = ({ sentences, rate, work = 0.02, outage = [0, 0], slow = [0, 0], cancelAt }) => {
    const random = dice(7);
    const text = sentences.join(" ");
    /** @type {Event[]} */
    const events = [];
    /** @type {[number, number][]} when, and up to where */
    const sent = [];
    if (rate === undefined) {
      sent.push([0, text.length]);
    } else {
      let at = 0;
      let end = 0;
      for (const piece of text.match(/\s*\S{1,5}/g) ?? []) {
        end += piece.length;
        sent.push([at, end]);
        at += (1000 / rate) * (0.4 + 1.2 * random());
      }
    }
    let begin = 0;
    for (const [at, end] of sent) {
      events.push([at, "tokenSent", begin, end]);
      begin = end;
    }
    events.push([(sent[sent.length - 1] ?? [0])[0] + 1, "textEnded"]);
    let start = 0;
    let free = 0;
    let ms = 0;
    let seq = 0;
    let sounds = 0;
    let waiting = false;
    let heldSince = 0;
    /** @type {number[]} when each frame is over at the loudspeaker */
    const heard = [];
    for (const [index, sentence] of sentences.entries()) {
      const end = start + sentence.length;
      const complete = sent.find(([, until]) => until >= end)?.[0] ?? 0;
      const length = Math.round((sentence.length * PER_CHARACTER_MS) / FRAME_MS) * FRAME_MS;
      let at = Math.max(complete + 4, free) + 12;
      events.push([
        at,
        "segment",
        { index, text: sentence, range: [start, end], start_ms: ms, language: "en", final: true },
      ]);
      const words = [...sentence.matchAll(/\S+/g)].map((found) => ({
        range: [start + found.index, start + found.index + found[0].length],
        start_ms: ms + found.index * PER_CHARACTER_MS + 20,
        end_ms: ms + (found.index + found[0].length) * PER_CHARACTER_MS,
      }));
      events.push([at, "words", { words }]);
      for (let frame = 0; frame < length / FRAME_MS; frame += 1) {
        at += FRAME_MS * work;
        const position = ms + frame * FRAME_MS;
        if (at >= outage[0] && at < outage[1]) {
          at = outage[1];
        }
        if (position >= slow[0] && position < slow[1]) {
          at = Math.max(at, (heard[seq - 1] ?? at) + 15 * random());
        }
        if (!waiting && position - playedAt(heard, at) >= LEAD_MS) {
          waiting = true;
          heldSince = at;
        }
        if (waiting) {
          at = Math.max(at, heard[Math.round((position - GO_ON_MS) / FRAME_MS)] ?? at);
          events.push([heldSince, "flow", { state: "paused" }], [at, "flow", { state: "resumed" }]);
          waiting = false;
        }
        const last = index === sentences.length - 1 && frame === length / FRAME_MS - 1;
        const bytes = Math.round(120 + 80 * random());
        events.push([at, "frame", { position: position * 48, duration: 960, last, bytes }]);
        if (seq === 0) {
          sounds = at + 24;
          events.push([sounds, "playing"]);
        } else if (at > sounds) {
          events.push([sounds, "underrun"], [at + 8, "continued", at + 8 - sounds]);
          sounds = at + 8;
        }
        sounds += FRAME_MS;
        heard.push(sounds);
        if (seq % 5 === 4) {
          events.push([sounds, "progress", position + FRAME_MS]);
        }
        seq += 1;
      }
      free = at;
      ms += length;
      start = end + 1;
    }
    const timing = {
      first_audio_ms: 14,
      queue_ms: 0,
      infer_ms: Math.round(ms * 0.01),
      encode_ms: Math.round(ms * 0.002),
    };
    events.push([free + 2, "done", { reason: "completed", audio_ms: ms, timing, cache: "miss" }]);
    events.push([sounds, "played"]);
    if (outage[1] > 0) {
      events.push([outage[0], "connectionLost"], [outage[1] - 20, "connectionBack"]);
    }
    // A frame may come while another is being heard.
    const order = events.map((event, place) => ({ event, place }));
    order.sort((one, other) => one.event[0] - other.event[0] || one.place - other.place);
    let all = order.map(({ event }) => event);
    if (cancelAt !== undefined) {
      const played = playedAt(heard, cancelAt);
      all = all.filter(([at]) => at <= cancelAt);
      all.push([cancelAt, "cancelAsked"], [cancelAt + 6.2, "silent"]);
      all.push([cancelAt + 9.4, "cancelled", { reason: "cancelled", played_ms: played, spokenEnd: 0 }]);
    }
    return { text, events: all, over: all[all.length - 1]?.[0] ?? 0 };
  };

  /** @type {(heard: number[], at: number) => number} */
  const playedAt = (heard, at) => {
    let low = 0;
    let high = heard.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((heard[middle] ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    return low * FRAME_MS;
  };

  /** @type {(log: any, event: Event, zero: number) => void} */
  const tell = (log, [at, method, ...given], zero) => {
    if (method === "frame") {
      const [{ bytes, ...frame }] = /** @type {[{bytes: number}]} */ (given);
      given = [{ ...frame, kind: 1, payload: new Uint8Array(bytes).fill(0xd8, 0, 1) }];
    }
    // Times come first where there is nothing else to tell, and where a length or a place follows.
    const first = ["tokenSent", "continued", "progress"].includes(method);
    log[method](...(first ? [zero + at, ...given] : [...given, zero + at]));
  };

  /**
   * @param {Scene} scene
   * @param {number} [upTo] ms: what comes later has not happened yet
   * @returns {Promise<any>} a log in which it happened just now
   */
  const scene = async (scene, upTo = Number.POSITIVE_INFINITY) => {
    const { UtteranceLog } = await import(new URL("/record/log.js", location.origin).href);
    const { text, events, over } = write(scene);
    const log = new UtteranceLog("scene", { mode: scene.rate === undefined ? "text" : "llm" });
    log.text = text;
    const zero = performance.now() - Math.min(upTo, over);
    for (const event of events) {
      if (event[0] <= upTo) tell(log, event, zero);
    }
    /** What is yet to come, told when its time comes. */
    const goOn = () => {
      const now = performance.now() - zero;
      while (events[next] !== undefined && /** @type {Event} */ (events[next])[0] <= now) {
        tell(log, /** @type {Event} */ (events[next]), zero);
        next += 1;
      }
      if (next < events.length) setTimeout(goOn, 10);
    };
    let next = events.findIndex(([at]) => at > upTo);
    if (next >= 0) goOn();
    return log;
  };

  Object.assign(globalThis, { scenes: { scene } });
})();
