// Runs only in browsers that are too old for JavaScript modules, so it is written for those.
// biome-ignore-all lint: old browsers know no newer words
(function () {
  var missing = document.getElementById("missing");
  var why = document.getElementById("missing-why");
  if (!missing || !why) return;
  why.textContent =
    "This browser is too old: it does not know JavaScript modules. Please take a newer one: Chrome or Edge 110, " +
    "Firefox 128, Safari 17.1, or later.";
  missing.setAttribute("data-known", "true");
})();
