// An LLM that writes: a text in pieces as a tokeniser makes them, at the pace of a real one.

/** A word with the space before it, up to three digits, punctuation, or space alone. */
const PIECE = / ?\p{L}[\p{L}\p{M}]*| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s/gu;
/** Letters of which a tokeniser makes one token, at most; longer words are several. */
const LETTERS = 6;
const CJK = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}]/u;
const CJK_LETTERS = 2;

/** Spread of the logarithm of the time between tokens. */
const SPREAD = 0.7;
/** One token in so many is late by as many tokens' time as `STALL_TOKENS`, and those behind it come at once. */
const STALL_EVERY = 24;
const STALL_TOKENS = 8;

/**
 * A text in pieces of about four characters, most with the space before them. Together they are the text.
 * @param {string} text
 * @returns {string[]}
 */
export function tokensOf(text) {
  return Array.from(text.matchAll(PIECE), ([piece]) => split(piece)).flat();
}

/** @param {string} piece */
function split(piece) {
  const characters = [...piece];
  const most = CJK.test(piece) ? CJK_LETTERS : LETTERS + (piece.startsWith(" ") ? 1 : 0);
  if (characters.length <= most + 1) return [piece];
  const count = Math.ceil(characters.length / most);
  const size = Math.ceil(characters.length / count);
  return Array.from({ length: count }, (_, i) => characters.slice(i * size, (i + 1) * size).join("")).filter(
    Boolean,
  );
}

/**
 * When tokens come, in milliseconds since the first: on average `rate` in a second.
 * @param {number} count
 * @param {number} rate tokens per second, above 0
 * @param {boolean} jitter whether they come in bursts and pauses, as from a real LLM, or evenly
 * @param {() => number} random from 0 up to, not including, 1
 * @returns {number[]} rising; the first is 0
 */
export function timesOf(count, rate, jitter, random = Math.random) {
  const gap = 1000 / rate;
  const times = [];
  let due = 0;
  let latest = 0;
  for (let index = 0; index < count; index += 1) {
    if (index > 0) {
      due += jitter ? gap * Math.exp(SPREAD * normal(random) - SPREAD ** 2 / 2) : gap;
      // A stall holds back this token; those that were due meanwhile come with it.
      const stall = jitter && random() < 1 / STALL_EVERY ? gap * STALL_TOKENS * random() : 0;
      latest = Math.max(latest, due + stall);
    }
    times.push(latest);
  }
  return times;
}

/** A number of the normal distribution (Box and Muller). @param {() => number} random */
function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/**
 * Gives tokens when they are due. A timer that was late, as in a background tab, gives all that are.
 * @param {readonly string[]} tokens
 * @param {readonly number[]} times in ms since now, rising
 * @param {AbortSignal} stopped
 * @returns {AsyncGenerator<string>}
 */
export async function* paced(tokens, times, stopped) {
  const begin = performance.now();
  for (const [index, token] of tokens.entries()) {
    const wait = begin + (times[index] ?? 0) - performance.now();
    if (wait > 1) await sleep(wait, stopped);
    if (stopped.aborted) return;
    yield token;
  }
}

/** @type {(ms: number, stopped: AbortSignal) => Promise<void>} */
function sleep(ms, stopped) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      stopped.removeEventListener("abort", done);
      resolve();
    }
    stopped.addEventListener("abort", done);
  });
}
