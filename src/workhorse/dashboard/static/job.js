// The log on a job's page: it follows what is written, until a person reads further up, or pauses it.
"use strict";
(() => {
  const log = () => document.getElementById("log");
  const isAtEnd = (list) => list.scrollHeight - list.scrollTop - list.clientHeight < 24;
  let follows = true;

  function follow() {
    const list = log();
    const button = document.getElementById("log-pause");
    if (!list) return;
    if (button) button.hidden = false;
    else if (list.hasAttribute("data-keep")) { // it was paused, and the job has ended meanwhile
      list.removeAttribute("data-keep");
      document.dispatchEvent(new Event("workhorse:changed"));
      return;
    }
    if (follows && !list.hasAttribute("data-keep")) list.scrollTop = list.scrollHeight;
  }

  document.addEventListener("click", (event) => {
    if (event.target.id !== "log-pause") return;
    const isPaused = log()?.toggleAttribute("data-keep");
    event.target.setAttribute("aria-pressed", String(isPaused));
    event.target.textContent = isPaused ? "Follow" : "Pause";
    follows = !isPaused;
    if (!isPaused) document.dispatchEvent(new Event("workhorse:changed"));
    follow();
  });
  document.addEventListener("scroll", (event) => {
    if (event.target.id === "log") follows = isAtEnd(event.target);
  }, true);
  document.addEventListener("htmx:afterSettle", follow);
  follow();
})();
