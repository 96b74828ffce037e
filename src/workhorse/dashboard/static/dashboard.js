// What pages do by themselves: times, themes, questions, selections. Keys are in keys.js, charts in charts.js.
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Times: the exact one, in local time, as a tooltip; how long ago, kept right.

  const units = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

  const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

  function duration(seconds) {
    if (seconds < 60) return `${Math.floor(seconds)} s`;
    const words = [];
    let rest = Math.floor(seconds);
    for (const [size, name] of units) {
      if (rest >= size || words.length) {
        words.push([Math.floor(rest / size), name]);
        rest %= size;
      }
    }
    return words.slice(0, 2).filter(([many]) => many).map(([many, name]) => many + name).join(" ");
  }

  function relative(moment, now) {
    const since = (now - moment) / 1000;
    if (since < 0) return `in ${duration(-since)}`;
    return `${duration(since)} ago`;
  }

  function tellTimes() {
    const now = Date.now();
    for (const element of $$("time[datetime]")) {
      const moment = Date.parse(element.dateTime);
      if (Number.isNaN(moment)) continue;
      const title = exact.format(moment);
      if (element.title !== title) element.title = title;
      if (element.dataset.exact !== undefined) element.textContent = title;
      else if (element.dataset.clock !== undefined) element.textContent = clock.format(moment);
      else if (Math.abs(now - moment) >= 1000) element.textContent = relative(moment, now);
    }
  }

  // Themes: as the system has it, dark, light, in turn.

  const themes = ["auto", "dark", "light"];
  const theme = () => document.documentElement.dataset.theme ?? "auto";

  function tellTheme() {
    $("#theme").textContent = `Theme: ${theme()}`;
  }

  function nextTheme() {
    const next = themes[(themes.indexOf(theme()) + 1) % themes.length];
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem("workhorse-theme", next);
    } catch {
      // no storage: for this page only
    }
    tellTheme();
    document.dispatchEvent(new Event("workhorse:theme"));
  }

  // Questions before what can't be undone.

  function ask(text, label, typed, isDanger) {
    const dialog = $("#ask");
    const field = $("#ask-typed");
    const input = $("input", field);
    const yes = $("#ask-yes");
    $("#ask-text").textContent = text;
    yes.textContent = label;
    yes.classList.toggle("danger", isDanger);
    field.hidden = !typed;
    $("strong", field).textContent = typed;
    input.value = "";
    yes.disabled = Boolean(typed);
    input.oninput = () => { yes.disabled = input.value !== typed; };
    input.onkeydown = (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      if (!yes.disabled) yes.click();
    };
    dialog.returnValue = "";
    dialog.showModal();
    (typed ? input : yes).focus();
    return new Promise((resolve) => {
      dialog.onclose = () => resolve(dialog.returnValue === "yes" ? input.value || true : null);
    });
  }

  document.addEventListener("htmx:confirm", (event) => {
    const form = event.detail.elt;
    const button = event.detail.triggeringEvent?.submitter;
    const question = button?.dataset.ask ?? form.dataset?.ask;
    if (!question) return;
    event.preventDefault();
    const typed = form.dataset.typed ?? "";
    const text = question.replace("{count}", chosen(form));
    const isDanger = Boolean(button?.classList.contains("danger"));
    ask(text, button?.textContent.trim() || "Do it", typed, isDanger).then((answer) => {
      if (answer === null) return;
      const field = form.elements?.namedItem("typed");
      if (field) field.value = answer;
      event.detail.issueRequest(true);
    });
  });

  // Selections: rows of a table, and all that match.

  const boxes = (form) => $$(`input[name="ids"][form="${CSS.escape(form.id)}"]`);

  function chosen(form) {
    const all = $('input[name="all"]', form);
    if (all?.checked) return $("[data-total]", form).textContent || "all matching";
    return String(boxes(form).filter((box) => box.checked).length);
  }

  function tellSelection(form) {
    const found = boxes(form);
    const many = found.filter((box) => box.checked).length;
    const isWhole = found.length > 0 && many === found.length;
    const rest = $("[data-rest]", form);
    const all = $('input[name="all"]', form);
    if (all && !isWhole) all.checked = false;
    const total = Number.parseInt($("[data-total]", form)?.textContent.replace(/\D/g, ""), 10);
    if (rest) rest.hidden = !isWhole || total <= found.length;
    const count = chosen(form);
    $("[data-count]", form).textContent =
      many ? `${count} selected` : "Select rows to do something with them";
    form.classList.toggle("some", many > 0);
    for (const button of $$("button", form)) button.disabled = !many;
    for (const box of $$(`input[data-all="${CSS.escape(form.id)}"]`)) {
      box.checked = isWhole;
      box.indeterminate = many > 0 && !isWhole;
      touched.add(box);
    }
  }

  const tellSelections = () => $$("form.bulk").forEach(tellSelection);

  function select(box, isChecked) {
    touched.add(box);
    box.checked = isChecked;
  }

  document.addEventListener("change", (event) => {
    const box = event.target;
    if (box.dataset?.all) {
      const form = document.getElementById(box.dataset.all);
      for (const each of boxes(form)) select(each, box.checked);
    }
    tellSelections();
  });

  let lastBox = null;
  document.addEventListener("click", (event) => {
    const box = event.target.closest?.('input[name="ids"]');
    if (!box) return;
    if (event.shiftKey && lastBox?.isConnected && lastBox.form === box.form) {
      const found = boxes(box.form);
      const [first, last] = [found.indexOf(lastBox), found.indexOf(box)].sort((a, b) => a - b);
      for (const each of found.slice(first, last + 1)) select(each, box.checked);
    }
    lastBox = box;
  });

  // What people changed is left alone when a page is renewed. (Not what has the focus: a button would keep its old name.)

  const touched = new WeakSet();
  const opens = new Set(["DETAILS", "DIALOG"]);
  for (const name of ["input", "change"]) {
    document.addEventListener(name, (event) => touched.add(event.target), true);
  }
  Object.assign(Idiomorph.defaults.callbacks, {
    beforeNodeMorphed: (old) => !(old.nodeType === 1 && (touched.has(old) || old.hasAttribute("data-keep"))),
    beforeAttributeUpdated: (name, node) =>
      !(name === "open" && opens.has(node.nodeName)) && !(name === "class" && node.matches("tr.here")),
  });

  // Told: what was done goes by itself; what went wrong stays until it is closed.

  let forgetting = 0;
  function tellOutcome() {
    const told = $("#told .told");
    if (!told) return;
    clearTimeout(forgetting);
    if (told.matches(".bad") || $("form", told)) return;
    forgetting = setTimeout(() => {
      if (!told.matches(":hover, :focus-within")) told.remove();
    }, 8000);
  }

  function tellAll() {
    tellTimes();
    tellSelections();
  }

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "told") tellOutcome();
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target.id === "main") tellAll();
  });
  document.addEventListener("htmx:sendError", (event) => {
    if (event.detail.elt.id === "main") return;
    const told = document.createElement("div");
    told.className = "told bad";
    told.textContent = "The dashboard does not answer: nothing was done, as far as this page knows.";
    const close = document.createElement("button");
    close.className = "bare close";
    close.textContent = "×";
    close.setAttribute("aria-label", "Close");
    told.append(close);
    $("#told").replaceChildren(told);
    tellOutcome();
  });

  document.addEventListener("click", (event) => {
    const target = event.target;
    if (target.id === "menu") {
      const isOpen = $("#side").classList.toggle("open");
      target.setAttribute("aria-expanded", String(isOpen));
    } else if (target.id === "theme") nextTheme();
    else if (target.nodeName === "DIALOG") target.close(); // beside it
    for (const drop of $$("details.drop[open]")) if (!drop.contains(target)) drop.open = false;
    if (target.matches?.("#told .close")) {
      for (const form of $$("#told form")) htmx.trigger(form, "htmx:abort");
      $("#told").replaceChildren();
    }
    const copy = target.closest?.("[data-copy]");
    if (copy) {
      navigator.clipboard?.writeText(copy.dataset.copy);
      copy.classList.add("good");
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const drop of $$("details.drop[open]")) {
      drop.open = false;
      $("summary", drop).focus();
    }
  });
  document.addEventListener("submit", (event) => {
    event.target.closest?.("details.drop")?.removeAttribute("open");
  });

  setInterval(tellTimes, 5000);
  tellTheme();
  tellAll();
  tellOutcome();
  window.workhorse = { nextTheme, select, tellSelections };
})();
