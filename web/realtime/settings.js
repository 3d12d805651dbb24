import { RealtimeError } from "./errors.js";
import { ALL } from "./wire.js";

/** @type {Record<string, (value: any) => boolean>} */
const CHECKS = {
  context_id: (value) => isText(value, 64) && value !== "" && value !== ALL,
  voice: (value) => isText(value, 64),
  language: (value) => isText(value, 64),
  speed: (value) => typeof value === "number" && value >= 0.25 && value <= 4,
  normalize: isBoolean,
  markup: isBoolean,
  cache: isBoolean,
  instruct: (value) => isText(value, 2000),
  seed: (value) => Number.isSafeInteger(value) && value >= 0,
  buffer: (value) => ["auto", "sentence", "manual"].includes(value),
  on_conflict: (value) => ["queue", "preempt"].includes(value),
};

/**
 * Fields of `context.open`. A server cannot say which context a message with a wrong field was about; the text
 * behind it would be spoken all the same, with other settings.
 * @param {Record<string, unknown>} opening
 * @throws {RealtimeError} for a value that the protocol does not allow
 */
export function checkOpening(opening) {
  for (const [field, isRight] of Object.entries(CHECKS)) {
    const value = opening[field];
    if (value !== undefined && !isRight(value)) {
      throw new RealtimeError("invalid_message", `context.open: ${field} cannot be ${JSON.stringify(value)}`);
    }
  }
}

/**
 * @param {unknown} value
 * @param {number} most
 */
function isText(value, most) {
  return typeof value === "string" && [...value].length <= most;
}

/** @param {unknown} value */
function isBoolean(value) {
  return typeof value === "boolean";
}
