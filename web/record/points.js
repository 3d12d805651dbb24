// Rows of numbers that grow for as long as an utterance lasts, in memory that does not.

/** @typedef {"first" | "last" | "sum" | "min" | "max"} Rule how two neighbours of a column become one */

const FIRST_ROOM = 64;

/**
 * Columns of numbers, one row for each point. When `limit` rows are there, every two neighbours are made one, by the
 * rule of each column, and from then on every row stands for twice as many points: the same resolution everywhere.
 *
 * @template {string} C
 */
export class Points {
  /**
   * @param {Record<C, Rule>} rules the columns, and how each is merged
   * @param {number} limit most rows, an even number of 2 or more
   */
  constructor(rules, limit = 4096) {
    /** How many rows there are. */
    this.length = 0;
    /** How many points each row stands for; the last may stand for fewer. */
    this.stride = 1;
    this.limit = limit;
    /** @private */
    this.inLast = 0;
    /** @private @type {[C, Rule][]} */
    this.rules = /** @type {[C, Rule][]} */ (Object.entries(rules));
    /** @private @type {Map<C, Float64Array>} */
    this.columns = new Map(this.rules.map(([name]) => [name, new Float64Array(Math.min(FIRST_ROOM, limit))]));
  }

  /** @param {Record<C, number>} values one number for each column */
  push(values) {
    if (this.inLast > 0 && this.inLast < this.stride) {
      for (const [name, rule] of this.rules) {
        const column = this.of(name);
        const last = this.length - 1;
        column[last] = merged(rule, column[last] ?? 0, values[name]);
      }
      this.inLast += 1;
      return;
    }
    if (this.length === this.limit) {
      this.halve();
    }
    for (const [name] of this.rules) {
      this.roomy(name)[this.length] = values[name];
    }
    this.length += 1;
    this.inLast = 1;
  }

  /**
   * @param {C} name a column
   * @param {number} row 0 to `length` - 1, or negative: from the end
   * @returns {number} NaN where there is no such row
   */
  at(name, row) {
    const index = row < 0 ? this.length + row : row;
    return index >= 0 && index < this.length ? (this.of(name)[index] ?? Number.NaN) : Number.NaN;
  }

  /**
   * @param {C} name a column whose numbers do not fall
   * @param {number} value
   * @returns {number} the first row whose number is `value` or more; `length` when there is none
   */
  search(name, value) {
    const column = this.of(name);
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((column[middle] ?? 0) < value) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /**
   * @param {C} name a column
   * @returns {Float64Array} its numbers; only the first `length` of them count
   */
  of(name) {
    return /** @type {Float64Array} */ (this.columns.get(name));
  }

  /** @private @param {C} name */
  roomy(name) {
    const column = this.of(name);
    if (this.length < column.length) {
      return column;
    }
    const wider = new Float64Array(Math.min(this.limit, column.length * 2));
    wider.set(column);
    this.columns.set(name, wider);
    return wider;
  }

  /** @private */
  halve() {
    const half = this.length >> 1;
    for (const [name, rule] of this.rules) {
      const column = this.of(name);
      for (let row = 0; row < half; row += 1) {
        column[row] = merged(rule, column[2 * row] ?? 0, column[2 * row + 1] ?? 0);
      }
    }
    this.length = half;
    this.stride *= 2;
  }
}

/** @type {(rule: Rule, earlier: number, later: number) => number} */
function merged(rule, earlier, later) {
  switch (rule) {
    case "first":
      return earlier;
    case "last":
      return later;
    case "sum":
      return earlier + later;
    case "min":
      return Math.min(earlier, later);
    case "max":
      return Math.max(earlier, later);
  }
}
