/** @import {Context} from "./context.js" */

/** So many contexts are known by their handle after they are over: a `cancel` may still ask what was heard. */
const MOST_KNOWN = 256;

/**
 * Which context the server means: by its handle when it is open, before that by its id, in order of opening.
 * Handles tell contexts apart that bear the same id.
 */
export class Directory {
  /** @type {Context[]} */
  #unopened = [];
  /** @type {Map<number, Context>} */
  #byHandle = new Map();
  /** @type {Map<string, Context>} */
  #latest = new Map();
  /** @type {Set<number>} */
  #endedEarly = new Set();

  /** The next opening under its id is for this context. @param {Context} context */
  expect(context) {
    this.#unopened.push(context);
    this.#latest.set(context.id, context);
  }

  /** @param {number} handle */
  get(handle) {
    return this.#byHandle.get(handle);
  }

  /** The context that was opened last under this id. @param {string} id */
  latest(id) {
    return this.#latest.get(id);
  }

  /** All of which something may still come, or was heard lately, in the order in which they were opened. */
  all() {
    return [...this.#byHandle.values(), ...this.#unopened];
  }

  /**
   * The context that the server has opened; undefined when nobody waits for it.
   * @param {string} id
   * @param {number} handle
   */
  opened(id, handle) {
    const context = takeFirst(this.#unopened, id);
    if (context === undefined) return undefined;
    this.#byHandle.set(handle, context);
    if (this.#endedEarly.has(handle)) context._endedEarly();
    this.#forget();
    return context;
  }

  /** The context that the server does not open, which is that which waits for it longest. @param {string} id */
  refused(id) {
    return takeFirst(this.#unopened, id);
  }

  /** The server had ended these contexts before all their text came. @param {Set<number>} handles */
  endedEarly(handles) {
    this.#endedEarly = handles;
    for (const handle of handles) this.#byHandle.get(handle)?._endedEarly();
  }

  #forget() {
    if (this.#byHandle.size <= MOST_KNOWN) return;
    for (const [handle, context] of this.#byHandle) {
      if (!context._isOver) continue;
      this.#byHandle.delete(handle);
      if (this.#latest.get(context.id) === context) this.#latest.delete(context.id);
      return;
    }
  }
}

/**
 * Takes the first under this id out of those that wait for their opening; undefined when none does.
 * @template {{id: string}} T
 * @param {T[]} waiting
 * @param {string} id
 */
export function takeFirst(waiting, id) {
  const index = waiting.findIndex((one) => one.id === id);
  return index < 0 ? undefined : waiting.splice(index, 1)[0];
}
