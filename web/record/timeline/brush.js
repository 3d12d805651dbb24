// What the timeline is drawn with: a canvas that is sharp on every screen, and a few shapes.

/** @typedef {import("./style.js").Colours} Colours */

const HATCH = 6;
/** Most texts whose shortened form is remembered. */
const MOST_FITTED = 2000;

/** Draws in CSS pixels on a canvas that has the screen's own. */
export class Brush {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    /** CSS pixels. */
    this.width = 0;
    this.height = 0;
    /** @type {Colours | null} */
    this.colours = null;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    /** @private @type {Map<string, CanvasPattern | null>} */
    this.hatches = new Map();
    /** @private @type {Map<string, string>} */
    this.fitted = new Map();
    /** @private */
    this.size = 11;
    /** @private */
    this.weight = 400;
  }

  /**
   * @param {number} width CSS pixels
   * @param {number} height CSS pixels
   * @param {number} deviceWidth the screen's own pixels
   */
  resize(width, height, deviceWidth) {
    const ratio = width > 0 ? deviceWidth / width : 1;
    const deviceHeight = Math.round(height * ratio);
    if (this.canvas.width !== deviceWidth || this.canvas.height !== deviceHeight) {
      this.canvas.width = deviceWidth;
      this.canvas.height = deviceHeight;
      this.canvas.style.height = `${height}px`;
      this.hatches.clear();
    }
    this.width = width;
    this.height = height;
    this.ratio = ratio;
  }

  /** @param {Colours} colours with which is drawn from now on */
  begin(colours) {
    if (this.colours?.font !== colours.font) {
      this.fitted.clear();
    }
    if (this.colours !== colours) {
      this.hatches.clear();
    }
    this.colours = colours;
    this.context.setTransform(this.ratio ?? 1, 0, 0, this.ratio ?? 1, 0, 0);
    this.context.clearRect(0, 0, this.width, this.height);
    this.context.globalAlpha = 1;
    this.font(11);
  }

  /** @param {number} size CSS pixels @param {number} weight */
  font(size, weight = 400) {
    this.size = size;
    this.weight = weight;
    this.context.font = `${weight} ${size}px ${this.colours?.font ?? "sans-serif"}`;
  }

  /** @type {(x: number, y: number, width: number, height: number, colour: string, alpha?: number) => void} */
  box(x, y, width, height, colour, alpha = 1) {
    this.context.globalAlpha = alpha;
    this.context.fillStyle = colour;
    this.context.fillRect(x, y, width, height);
  }

  /**
   * @type {(x: number, y: number, width: number, height: number, radius: number, colour: string, alpha?: number) =>
   *   void}
   */
  round(x, y, width, height, radius, colour, alpha = 1) {
    this.context.globalAlpha = alpha;
    this.context.fillStyle = colour;
    this.outline(x, y, width, height, radius);
    this.context.fill();
  }

  /**
   * @type {(x: number, y: number, width: number, height: number, radius: number, colour: string, alpha: number,
   *   dashed?: boolean) => void}
   */
  frame(x, y, width, height, radius, colour, alpha, dashed = false) {
    this.context.globalAlpha = alpha;
    this.context.strokeStyle = colour;
    this.context.lineWidth = 1;
    this.context.setLineDash(dashed ? [3, 3] : []);
    this.outline(x + 0.5, y + 0.5, Math.max(0, width - 1), height - 1, radius);
    this.context.stroke();
    this.context.setLineDash([]);
  }

  /** A line from top to bottom. @type {(x: number, y: number, until: number, colour: string, width?: number) => void} */
  upright(x, y, until, colour, width = 1) {
    // On the screen's own pixels a thin line is sharp.
    const ratio = this.ratio ?? 1;
    const own = Math.max(1, Math.round(width * ratio)) / ratio;
    this.box(Math.round((x - own / 2) * ratio) / ratio, y, own, until - y, colour, this.context.globalAlpha);
  }

  /**
   * A band that connects two stretches of time in two rows.
   *
   * @type {(top: [number, number, number], bottom: [number, number, number], colour: string, alpha: number) => void}
   *   each is from, until, y
   */
  ribbon([topFrom, topUntil, top], [bottomFrom, bottomUntil, bottom], colour, alpha) {
    const middle = (top + bottom) / 2;
    const { context } = this;
    context.globalAlpha = alpha;
    context.fillStyle = colour;
    context.beginPath();
    context.moveTo(topFrom, top);
    context.bezierCurveTo(topFrom, middle, bottomFrom, middle, bottomFrom, bottom);
    context.lineTo(bottomUntil, bottom);
    context.bezierCurveTo(bottomUntil, middle, topUntil, middle, topUntil, top);
    context.closePath();
    context.fill();
  }

  /** @type {(x: number, y: number, width: number, height: number, colour: string, alpha?: number) => void} */
  hatched(x, y, width, height, colour, alpha = 1) {
    const pattern = this.hatch(colour);
    if (pattern !== null) {
      this.context.globalAlpha = alpha;
      this.context.fillStyle = pattern;
      this.context.fillRect(x, y, width, height);
    }
  }

  /** @type {(text: string, x: number, y: number, colour: string, align?: CanvasTextAlign) => void} */
  text(text, x, y, colour, align = "left") {
    this.context.globalAlpha = 1;
    this.context.fillStyle = colour;
    this.context.textAlign = align;
    this.context.textBaseline = "middle";
    this.context.fillText(text, x, y);
  }

  /** Draws in a part alone. @type {(x: number, y: number, width: number, height: number, draw: () => void) => void} */
  within(x, y, width, height, draw) {
    this.context.save();
    this.context.beginPath();
    this.context.rect(x, y, width, height);
    this.context.clip();
    draw();
    this.context.restore();
  }

  /** @param {string} text @returns {number} CSS pixels */
  measure(text) {
    return this.context.measureText(text).width;
  }

  /**
   * @param {string} text
   * @param {number} room CSS pixels
   * @returns {string} as much of it as there is room for; "" where that says nothing
   */
  fit(text, room) {
    if (room < 10) {
      return "";
    }
    // In steps, so that a box that grows does not ask anew each time.
    const steps = Math.floor(room / 4);
    const key = `${this.weight} ${this.size} ${steps} ${text}`;
    const known = this.fitted.get(key);
    if (known !== undefined) {
      return known;
    }
    const found = this.shorten(text, steps * 4);
    if (this.fitted.size >= MOST_FITTED) {
      this.fitted.clear();
    }
    this.fitted.set(key, found);
    return found;
  }

  /** @private @type {(text: string, room: number) => string} */
  shorten(text, room) {
    if (this.measure(text) <= room) {
      return text;
    }
    const characters = [...text.slice(0, 400)];
    let low = 0;
    let high = characters.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.measure(`${characters.slice(0, middle).join("").trimEnd()}…`) <= room) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low < 2 ? "" : `${characters.slice(0, low).join("").trimEnd()}…`;
  }

  /** @private @type {(x: number, y: number, width: number, height: number, radius: number) => void} */
  outline(x, y, width, height, radius) {
    this.context.beginPath();
    this.context.roundRect(x, y, width, height, Math.min(radius, width / 2, height / 2));
  }

  /** @private @param {string} colour */
  hatch(colour) {
    const known = this.hatches.get(colour);
    if (known !== undefined) {
      return known;
    }
    const ratio = this.ratio ?? 1;
    const size = Math.max(2, Math.round(HATCH * ratio));
    const tile = new OffscreenCanvas(size, size);
    const context = tile.getContext("2d");
    let pattern = null;
    if (context !== null) {
      context.strokeStyle = colour;
      context.lineWidth = 1.25 * ratio;
      context.beginPath();
      for (const shift of [-size, 0, size]) {
        context.moveTo(shift - 1, size + 1);
        context.lineTo(shift + size + 1, -1);
      }
      context.stroke();
      pattern = this.context.createPattern(tile, "repeat");
      pattern?.setTransform(new DOMMatrix().scale(1 / ratio));
    }
    this.hatches.set(colour, pattern);
    return pattern;
  }
}
