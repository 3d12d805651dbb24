const NAME = "realtime-api-key";

/** The key that was given in this tab; null when there is none. */
export function keptKey() {
  try {
    return sessionStorage.getItem(NAME);
  } catch {
    return null; // where storage is blocked the key is asked for each time
  }
}

/** @param {string} key */
export function keepKey(key) {
  try {
    sessionStorage.setItem(NAME, key);
  } catch {
    // then it holds until the page is left
  }
}

/**
 * Asks a person for a key.
 * @param {HTMLDialogElement} dialog
 * @param {string} why
 * @returns {Promise<string | null>} null when none was given
 */
export function askForKey(dialog, why) {
  const field = /** @type {HTMLInputElement} */ (dialog.querySelector("input"));
  const reason = /** @type {HTMLElement} */ (dialog.querySelector("#key-why"));
  reason.textContent = why;
  field.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => resolve(dialog.returnValue === "given" && field.value.trim() !== "" ? field.value.trim() : null),
      { once: true },
    );
  });
}
