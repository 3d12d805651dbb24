/** @import {ClientMessage, ServerMessage} from "./wire.js" */

/** Messages that can be answers. */
export const ANSWERS = new Set(["session.ready", "context.cancelled", "error"]);

/**
 * `tag` is that of its ping; `done` is given all answers, or null at the end of the session.
 * @typedef {object} Question
 * @property {string} tag
 * @property {ClientMessage | null} message
 * @property {ServerMessage[]} answers
 * @property {boolean} ponged
 * @property {(answers: ServerMessage[] | null) => void} done
 */

/**
 * Questions, and which of the server's messages answer them.
 *
 * The protocol has no numbers for questions, but the server answers in order. So a question is followed by a
 * `ping`: what comes up to its `pong`, and can be an answer at all, answers the oldest question that is open.
 * After a loss the server may repeat a `context.cancelled` only after the `pong`: a cancel waits for those that
 * are known to be missing.
 */
export class Questions {
  #asked = 0;
  /** @type {Question[]} */
  #open = [];
  /** @type {Set<number>} */
  #missing = new Set();

  get isEmpty() {
    return this.#open.length === 0;
  }

  /** Whether the settings may be about to change. */
  get hasUpdate() {
    return this.#open.some((question) => question.message?.type === "session.update");
  }

  /**
   * A new question; `done` is called at once with the last of its answers.
   * @param {ClientMessage | null} message
   * @param {(answers: ServerMessage[] | null) => void} done
   */
  ask(message, done) {
    const tag = `question-${++this.#asked}`;
    this.#open.push({ tag, message, answers: [], ponged: false, done });
    return tag;
  }

  /** What may be an answer came. @param {ServerMessage} answer */
  take(answer) {
    const missing = answer.type === "context.cancelled" && this.#missing.delete(answer.handle ?? 0);
    const question = this.#open.find((one) => !one.ponged || (missing && one.message?.type === "cancel"));
    question?.answers.push(answer);
    this.#settle();
  }

  /** The server has answered everything up to the ping with this tag. @param {string} tag */
  pong(tag) {
    for (const question of this.#open) if (question.tag === tag) question.ponged = true;
    this.#settle();
  }

  /** These contexts are cancelled, as the server says; it will repeat how. @param {Iterable<number>} handles */
  miss(handles) {
    for (const handle of handles) this.#missing.add(handle);
  }

  /** The session is over: what is open stays without an answer. */
  end() {
    const open = this.#open;
    this.#open = [];
    for (const question of open) question.done(null);
  }

  #settle() {
    const over = this.#open.filter(
      (one) => one.ponged && !(one.message?.type === "cancel" && this.#missing.size > 0),
    );
    if (over.length === 0) return;
    this.#open = this.#open.filter((one) => !over.includes(one));
    for (const question of over) question.done(question.answers);
  }
}
