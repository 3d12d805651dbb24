// The elements around and over the timeline's canvas.

import { COLUMNS } from "./facts.js";

/** @typedef {import("./facts.js").Fact} Fact */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
function element(name, attributes = {}, children = []) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    made.setAttribute(attribute, value);
  }
  made.append(...children);
  return made;
}

/** Buttons, the stage with its canvas and what is told at the pointer, and the same as a table. */
export class TimelineFrame {
  /** @param {ShadowRoot} root */
  constructor(root) {
    this.whole = element("button", { type: "button", "aria-pressed": "true" }, ["Whole"]);
    this.follow = element("button", { type: "button", "aria-pressed": "false" }, ["Follow"]);
    this.nearer = element("button", { type: "button", "aria-label": "Zoom in", title: "Zoom in" }, ["+"]);
    this.farther = element("button", { type: "button", "aria-label": "Zoom out", title: "Zoom out" }, ["−"]);
    this.canvas = element("canvas", { role: "img" });
    this.tip = element("div", { class: "tip", hidden: "" });
    this.spoken = element("p", { class: "unseen", "aria-live": "polite" });
    const help = element("p", { class: "unseen", id: "help" }, [
      "Left and right: from event to event. Plus and minus: zoom. Page up and page down: move. Home and end: first and last.",
    ]);
    this.stage = element(
      "div",
      { class: "stage", tabindex: "0", role: "group", "aria-label": "Timeline", "aria-describedby": "help" },
      [this.canvas, this.tip],
    );
    this.body = element("tbody");
    const scroll = element(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "Timeline as a table" },
      [
        element("table", {}, [
          element("thead", {}, [
            element(
              "tr",
              {},
              COLUMNS.map((name) => element("th", { scope: "col" }, [name])),
            ),
          ]),
          this.body,
        ]),
      ],
    );
    this.table = element("details", {}, [element("summary", {}, ["The same as a table"]), scroll]);
    root.append(
      element("div", { class: "bar" }, [this.whole, this.follow, this.farther, this.nearer]),
      this.stage,
      help,
      this.spoken,
      this.table,
    );
  }

  /**
   * @param {Fact} fact
   * @param {number} x of it, CSS pixels
   * @param {boolean} aloud whether a screen reader shall say it
   */
  tell({ title, lines }, x, aloud) {
    this.tip.replaceChildren(
      element("strong", {}, [title]),
      ...lines.filter((line) => line !== "").map((line) => element("span", {}, [line])),
    );
    this.tip.hidden = false;
    const room = this.stage.clientWidth;
    const width = this.tip.offsetWidth;
    const left = x + 12 + width <= room ? x + 12 : x - 12 - width;
    this.tip.style.transform = `translate(${Math.round(Math.max(0, Math.min(left, room - width)))}px, 1.5rem)`;
    if (aloud) {
      this.spoken.textContent = `${title}. ${lines.join(", ")}`;
    }
  }

  /** Tells nothing any more. */
  hush() {
    this.tip.hidden = true;
    this.spoken.textContent = "";
  }

  /** @param {string[][]} rows one cell for each column */
  fill(rows) {
    this.body.replaceChildren(
      ...rows.map((cells) =>
        element(
          "tr",
          {},
          cells.map((cell, index) => element("td", index === 0 ? {} : { class: "number" }, [cell])),
        ),
      ),
    );
  }
}
