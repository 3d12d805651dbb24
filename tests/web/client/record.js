// What the tests of realtime.js note down, in a form that can leave the page.

/** @import {Cancelled, ConnectOptions, Context, ContextEvents, Frame, Session} from "../../../web/realtime.js" */
/** @typedef {typeof import("../../../web/realtime.js")} Realtime */

/** FNV-1a: frames are compared by it. @param {Uint8Array} bytes */
function hash(bytes) {
  let value = 0x811c9dc5;
  for (const byte of bytes) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}

/** @param {Frame} frame */
function factsOf({ seq, position, duration, first, last, segmentStart, kind, payload }) {
  return [seq, position, duration, first, last, segmentStart, kind, payload.length, hash(payload)];
}

/** @param {unknown} error */
export function failure(error) {
  const { name, code, message, retryAfterMs, contextId, closeCode } = /** @type {any} */ (error);
  return { name, code, message, retryAfterMs, contextId, closeCode };
}

/**
 * How a promise ends: its value, or what went wrong.
 * @param {Promise<unknown>} promise
 * @returns {Promise<{value?: any, error?: ReturnType<typeof failure>}>}
 */
export async function outcome(promise) {
  return promise.then(
    (value) => ({ value }),
    (error) => ({ error: failure(error) }),
  );
}

/** What a call throws. @param {() => unknown} call */
export function thrown(call) {
  try {
    call();
  } catch (error) {
    return failure(error);
  }
  return null;
}

/** Everything that a context tells. */
export class Record {
  /** @type {ReturnType<typeof factsOf>[]} */
  frames = [];
  /** @type {unknown[]} */
  segments = [];
  /** @type {unknown[]} */
  words = [];
  /** What is done, and how much of it. @type {[string, number][]} */
  loading = [];
  /** Types of events, in order; the same one after another is told once. @type {string[]} */
  order = [];
  /** @type {unknown[]} */
  errors = [];
  replayed = 0;

  /** @param {Context} context */
  constructor(context) {
    this.context = context;
    for (const type of [
      "opened",
      "loading",
      "segment",
      "words",
      "frame",
      "flushed",
      "flow",
      "done",
      "cancelled",
      "error",
    ]) {
      context.addEventListener(/** @type {keyof ContextEvents} */ (type), () => {
        if (this.order.at(-1) !== type) this.order.push(type);
      });
    }
    context.addEventListener("frame", ({ detail }) => {
      this.frames.push(factsOf(detail));
      if (detail.replayed) this.replayed++;
    });
    context.addEventListener("segment", ({ detail }) => {
      const { index, text, source, range, start_ms, final } = detail;
      this.segments.push([index, text, source, context.text.slice(...range), start_ms, final]);
    });
    context.addEventListener("words", ({ detail }) => {
      for (const { text, source, range, start_ms, end_ms } of detail.words) {
        this.words.push([detail.segment, text, source, context.text.slice(...range), start_ms, end_ms]);
      }
    });
    context.addEventListener("loading", ({ detail: { what, fraction } }) =>
      this.loading.push([what, fraction]),
    );
    context.addEventListener("error", ({ detail }) => this.errors.push(failure(detail)));
  }

  get facts() {
    const { frames, segments, words } = this;
    return { frames, segments, words, text: this.context.text };
  }

  /** When a frame has come that reaches to this position, at once. @param {number} ms */
  upTo(ms) {
    return new Promise((resolve) => {
      /** @param {{detail: Frame}} event */
      const look = ({ detail }) => {
        if (detail.position + detail.duration >= ms * 48) resolve(undefined);
      };
      this.context.addEventListener("frame", look);
    });
  }
}

/** What a session says of itself, from here on. @param {Session} session */
export function toldBy(session) {
  /** @type {unknown[]} */
  const told = [];
  session.addEventListener("state", ({ detail: { state, retryInMs } }) => {
    told.push(retryInMs === undefined ? state : [state, retryInMs]);
  });
  session.addEventListener("resumed", ({ detail }) => {
    told.push(["resumed", ...detail.contexts.map(({ state }) => state)]);
  });
  session.addEventListener("closing", ({ detail }) => told.push(["closing", detail.reason, detail.drainMs]));
  session.addEventListener("error", ({ detail }) => told.push(["error", failure(detail)]));
  return told;
}

/** @param {Cancelled} cancelled */
export function cutOf({ context_id, reason, played_ms, text_spoken, text_remaining, range, spokenEnd }) {
  return { context_id, reason, played_ms, text_spoken, text_remaining, range, spokenEnd };
}

/**
 * A session for as long as a scenario runs, with all that it says of itself.
 * @template T
 * @param {Realtime} realtime
 * @param {string | undefined} url
 * @param {ConnectOptions} options
 * @param {(session: Session, told: unknown[]) => Promise<T>} scenario
 */
export async function inSession({ connect }, url, options, scenario) {
  const session = connect(url, { timestamps: "word", ...options });
  const told = toldBy(session);
  try {
    return structuredClone(await scenario(session, told)); // as it is now, before it is closed
  } finally {
    await session.close({ drain: false });
  }
}
