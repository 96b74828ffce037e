// Before anything is drawn: the theme that was chosen here, and that scripts run.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const theme = localStorage.getItem("workhorse-theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // no storage: as the system has it
  }
})();
