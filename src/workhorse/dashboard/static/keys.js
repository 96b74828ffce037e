// Keys: j k Enter x a n p on rows and pages, g and a letter for pages, / ? t, and ctrl-K for the palette.
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const rows = () => $$("main tbody tr[id]").filter((row) => row.offsetParent);
  const here = () => $("main tr.here");

  function step(by) {
    const found = rows();
    if (!found.length) return;
    const at = found.indexOf(here());
    const next = at < 0 ? (by > 0 ? 0 : found.length - 1) : Math.min(Math.max(at + by, 0), found.length - 1);
    here()?.classList.remove("here");
    found[next].classList.add("here");
    found[next].scrollIntoView({ block: "nearest" });
  }

  function toggle() {
    const box = here() && $('input[name="ids"]', here());
    if (!box) return;
    workhorse.select(box, !box.checked);
    workhorse.tellSelections();
  }

  const plain = {
    j: () => step(1),
    k: () => step(-1),
    x: toggle,
    a: () => $("main th.pick input")?.click(),
    n: () => $('main a[rel="next"]')?.click(),
    p: () => $('main a[rel="prev"]')?.click(),
    t: () => workhorse.nextTheme(),
    "?": () => $("#help").showModal(),
    "/": () => {
      const field = $("main input[name=q]") ?? $("#find");
      if (field && !field.offsetParent) $("#menu").click();
      field?.focus();
      field?.select();
    },
    Enter: () => (here() && ($("a.open", here()) ?? $("a", here())))?.click(),
    Escape: () => here()?.classList.remove("here"),
  };

  let went = 0;
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openPalette();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
    const target = event.target;
    if (target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    if (event.key === "Enter" && target.closest("a, button, summary, input")) return;
    if (went && Date.now() - went < 1500) {
      went = 0;
      const goal = $(`[data-go="${CSS.escape(event.key)}"]`);
      if (goal) location.href = goal.dataset.href;
      return;
    }
    if (event.key === "g") {
      went = Date.now();
      return;
    }
    const does = plain[event.key];
    if (!does) return;
    event.preventDefault();
    does();
  });

  // The palette: a page, a queue, or a job by its id.

  const palette = $("#palette");
  const input = $("input", palette);
  const list = $("#palette-list");
  let queues = [];
  let at = 0;

  function goals() {
    const text = input.value.trim();
    const word = text.toLowerCase();
    const pages = $$(".side nav a").map((link) => ({ name: link.textContent.trim(), kind: "page", href: link.href }));
    const named = queues.map((name) => ({
      name, kind: "queue", href: list.dataset.queue.replace(/-$/, encodeURIComponent(name)),
    }));
    const found = [...pages, ...named].filter(({ name }) => name.toLowerCase().includes(word));
    found.sort((a, b) => a.name.toLowerCase().indexOf(word) - b.name.toLowerCase().indexOf(word));
    if (/^[A-Za-z0-9_-]{3,255}$/.test(text)) {
      found.push({ name: text, kind: "job", href: list.dataset.job.replace(/-$/, text) });
    }
    return found.slice(0, 50);
  }

  function tell() {
    const found = goals();
    at = Math.min(Math.max(at, 0), Math.max(found.length - 1, 0));
    list.replaceChildren(...found.map(({ name, kind, href }, i) => {
      const item = document.createElement("li");
      item.id = `goal-${i}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(i === at));
      const word = document.createElement("span");
      word.className = "cut";
      word.textContent = name;
      const what = document.createElement("span");
      what.className = "quiet small";
      what.textContent = kind;
      item.append(word, what);
      item.onclick = () => { location.href = href; };
      return item;
    }));
    input.setAttribute("aria-activedescendant", found.length ? `goal-${at}` : "");
    list.children[at]?.scrollIntoView({ block: "nearest" });
  }

  async function openPalette() {
    if (palette.open) return;
    input.value = "";
    at = 0;
    palette.showModal();
    tell();
    try {
      queues = (await (await fetch(list.dataset.queues)).json()).names;
    } catch {
      queues = [];
    }
    tell();
  }

  input.addEventListener("input", () => { at = 0; tell(); });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      at += event.key === "ArrowDown" ? 1 : -1;
      tell();
    } else if (event.key === "Enter") {
      event.preventDefault();
      list.children[at]?.click();
    }
  });
  $("#help-button").addEventListener("click", () => $("#help").showModal());
})();
