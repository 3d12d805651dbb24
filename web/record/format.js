// Numbers as they are shown.

/**
 * @param {number} ms
 * @returns {string} as "64 ms", "2.31 s", "3 min 05 s"
 */
export function duration(ms) {
  const sign = ms < 0 ? "−" : "";
  const size = Math.abs(ms);
  if (size < 9.95) {
    return `${sign}${trimmed(size.toFixed(1))} ms`;
  }
  if (size < 999.5) {
    return `${sign}${size.toFixed(0)} ms`;
  }
  if (size < 59_995) {
    return `${sign}${(size / 1000).toFixed(2)} s`;
  }
  const seconds = Math.round(size / 1000);
  return `${sign}${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}

/**
 * @param {number} value bytes
 * @returns {string} as "912 B", "24.1 kB", "4.80 MB"
 */
export function bytes(value) {
  if (value < 1000) {
    return `${value} B`;
  }
  return value < 999_500 ? `${digits(value / 1000)} kB` : `${digits(value / 1e6)} MB`;
}

/** @type {(value: number) => string} three digits that count */
function digits(value) {
  return value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : value.toFixed(0);
}

/**
 * @param {number} value seconds of work for each second of sound
 * @returns {string} as "0.021, 47.6× real time"
 */
export function ratio(value) {
  const speed = value > 0 ? `, ${digits(1 / value)}× real time` : "";
  return `${value < 0.0995 ? value.toFixed(3) : value.toFixed(2)}${speed}`;
}

/**
 * @param {number} value a whole number
 * @returns {string} as "30,000"
 */
export function count(value) {
  return value.toLocaleString("en");
}

/** @type {(text: string) => string} */
function trimmed(text) {
  return text.endsWith(".0") ? text.slice(0, -2) : text;
}
