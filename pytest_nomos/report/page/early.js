"use strict";
// Before anything is drawn, so that a chosen theme does not flash.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem("nomos-theme");
  } catch {
    // A page from a file may have no storage; then the theme is that of the system.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
