// Keeps a page new: told by the dashboard when it has changed, or by asking where it can't be told.
"use strict";
(() => {
  const main = document.getElementById("main");
  const shown = document.getElementById("live");
  if (!main || main.dataset.version === undefined) return;

  const EVERY = 2000;
  let known = main.dataset.version;
  let source = null;
  let asking = false;
  let again = false;
  let poll = 0;
  let away = null;

  function tell(state, text) {
    if (!shown) return;
    shown.dataset.state = state;
    shown.textContent = text;
    shown.title = state === "on" ? "What you see is kept new" : "";
  }

  // What is wrong, over the page; what it shows is from before then.
  function tellProblem(text) {
    if (!text) {
      away?.remove();
      away = null;
      return;
    }
    if (!away) {
      away = document.createElement("p");
      away.className = "alert bad";
      away.id = "away";
      away.setAttribute("role", "alert");
      away.append(document.createElement("strong"), document.createElement("span"));
      main.before(away);
    }
    const since = new Date().toLocaleTimeString();
    if (away.firstChild.textContent !== text) {
      away.firstChild.textContent = text;
      away.lastChild.textContent = `What you see is from ${since}.`;
    }
    tell("off", "Away");
  }

  // Asks for the main part again, one question at a time, the last one surely answered.
  async function renew(isForced = false) {
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    try {
      do {
        again = false;
        const headers = isForced ? {} : { "If-None-Match": mark };
        await htmx
          .ajax("GET", location.href, { source: main, target: main, swap: "morph:innerHTML", headers })
          .catch(() => {}); // it is told, below
      } while (again);
    } finally {
      asking = false;
    }
  }

  let mark = "";
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target, xhr } = event.detail;
    if (target !== main) return;
    if (xhr.status === 401) location.reload(); // to log in again
    else if (xhr.status !== 200 && xhr.status !== 404) event.detail.shouldSwap = false;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const { target, xhr } = event.detail;
    if (target !== main || !xhr) return;
    if (xhr.status === 0) {
      tellProblem("The dashboard does not answer.");
      return;
    }
    mark = xhr.getResponseHeader("ETag") ?? "";
    if (xhr.status === 200) known = mark.replaceAll('"', "").replace(/\.\d$/, "");
    if (!source && poll) {
      tellProblem(xhr.status === 503 ? "The server does not answer." : "");
      if (xhr.status !== 503) tell("on", "Live");
    }
  });

  function startPolling() {
    if (poll || document.hidden) return;
    tell("on", "Live");
    poll = setInterval(renew, EVERY);
    renew();
  }

  function listen() {
    if (!main.dataset.live || !window.EventSource) {
      startPolling();
      return;
    }
    if (source || document.hidden) return;
    source = new EventSource(main.dataset.live);
    source.addEventListener("state", (event) => {
      const { version, problem } = JSON.parse(event.data);
      tellProblem(problem && `The server does not answer: ${problem}`);
      if (problem) return;
      tell("on", "Live");
      if (version !== known) {
        known = version;
        renew();
      }
    });
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) {
        // Streams end now and then, and begin anew at once. If not: nobody is there.
        setTimeout(() => {
          if (source && source.readyState !== EventSource.OPEN) tellProblem("The dashboard does not answer.");
        }, 3000);
        return;
      }
      stop();
      startPolling();
    });
  }

  function stop() {
    source?.close();
    source = null;
    clearInterval(poll);
    poll = 0;
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      stop();
      tell("", "Paused");
    } else listen();
  });
  window.addEventListener("pagehide", stop);
  window.addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
  document.addEventListener("workhorse:changed", () => renew(true));
  listen();
})();
