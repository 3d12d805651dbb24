// The first script: looks whether this browser can speak, and says so where it cannot. It uses nothing that an old
// browser with modules has not; all else comes after.

import { lackingIn } from "./page/browser.js";

const missing = /** @type {HTMLElement} */ (document.getElementById("missing"));
const why = /** @type {HTMLElement} */ (document.getElementById("missing-why"));

/** @param {string} text */
function tell(text) {
  why.textContent = text;
  missing.hidden = false;
  missing.dataset.known = "true";
}

const lacking = lackingIn(/** @type {any} */ (globalThis));
if (lacking.length > 0) {
  tell(`This browser lacks ${lacking.join(", and ")}.`);
} else {
  missing.hidden = true;
  import("./page/main.js").then(
    ({ begin }) => begin(),
    (error) =>
      tell(
        `A part of the page could not be loaded or begun: ${error instanceof Error ? error.message : error}`,
      ),
  );
}
