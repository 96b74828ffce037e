// Charts: `<figure data-chart="/charts/...">` is drawn from the JSON of that address:
//   {"times": [seconds], "series": [{"name", "tone", "values": [number or null], "fill"}], "unit", "told": "in words"}
// and again when the page is renewed. Without times it says `told` instead.
"use strict";
(() => {
  const charts = new Map();
  const short = new Intl.NumberFormat(undefined, {
    notation: "compact", maximumSignificantDigits: 3, maximumFractionDigits: 2, roundingPriority: "lessPrecision",
  });

  const units = {
    bytes: (value) => `${short.format(value / 1048576)} MB`,
    seconds: (value) => {
      if (value >= 3600) return `${short.format(value / 3600)} h`;
      if (value >= 60) return `${short.format(value / 60)} min`;
      return `${short.format(value)} s`;
    },
    rate: (value) => `${short.format(value)}/s`,
  };
  const formatOf = (figure) => units[figure.dataset.unit] ?? ((value) => short.format(value));

  function colours(figure, series) {
    const probe = document.createElement("i");
    figure.append(probe);
    const of = (tone) => {
      probe.className = `tone-${tone}`;
      return getComputedStyle(probe).color;
    };
    const found = series.map(({ tone }) => of(tone));
    probe.className = "quiet";
    const text = getComputedStyle(probe).color;
    probe.remove();
    return { series: found, text };
  }

  function faint(colour) {
    return colour.replace(/^rgb\(([^)]*)\)$/, "rgba($1, 0.14)");
  }

  function legend(figure, data, index) {
    const holder = figure.querySelector(".legend");
    const format = formatOf(figure);
    holder.replaceChildren(...data.series.map(({ name, tone, values }) => {
      const item = document.createElement("span");
      const swatch = document.createElement("i");
      swatch.className = `tone-${tone}`;
      const value = document.createElement("b");
      const at = index ?? values.findLastIndex((each) => each !== null);
      const found = values[at];
      value.textContent = found === null || found === undefined ? "–" : format(found);
      item.append(swatch, `${name} `, value);
      return item;
    }));
    if (index !== null) {
      const when = document.createElement("span");
      when.textContent = new Date(data.times[index] * 1000).toLocaleString(undefined, { timeStyle: "medium", dateStyle: "short" });
      holder.append(when);
    }
  }

  function options(figure, data, width) {
    const found = colours(figure, data.series);
    const format = formatOf(figure);
    const grid = { stroke: faint(found.text), width: 1 };
    const font = "11px system-ui, sans-serif";
    return {
      width, height: 150, legend: { show: false }, padding: [8, 18, 0, 0],
      cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false }, sync: { key: "workhorse" } },
      scales: { y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.1 : 1] } },
      axes: [
        { stroke: found.text, grid: { show: false }, ticks: grid, font, size: 24, values: times },
        { stroke: found.text, grid, ticks: { show: false }, font, size: 58, space: 34,
          values: (_, splits) => splits.map((value) => (value === null ? "" : format(value))) },
      ],
      series: [{}, ...data.series.map((each, i) => ({
        label: each.name, stroke: found.series[i], width: 1.5, spanGaps: false,
        points: { size: 5, show: (_, i) => charts.get(figure.id).data.series[i - 1].values.filter((value) => value !== null).length < 3 },
        fill: each.fill ? faint(found.series[i]) : undefined,
      }))],
      hooks: { setCursor: [(plot) => legend(figure, charts.get(figure.id).data, plot.cursor.idx ?? null)] },
    };
  }

  function times(plot, splits) {
    const span = plot.scales.x.max - plot.scales.x.min;
    const form = span > 172800 ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    const told = new Intl.DateTimeFormat(undefined, form);
    return splits.map((value) => told.format(value * 1000));
  }

  function nothing(figure, text) {
    charts.get(figure.id)?.plot?.destroy();
    charts.delete(figure.id);
    const told = document.createElement("p");
    told.className = "nothing";
    told.textContent = text;
    figure.querySelector(".plot").replaceChildren(told);
    figure.querySelector(".legend").replaceChildren();
  }

  function draw(figure, data) {
    const holder = figure.querySelector(".plot");
    holder.setAttribute("aria-label", data.told);
    if (!data.times.length) {
      nothing(figure, data.told);
      return;
    }
    const rows = [data.times, ...data.series.map(({ values }) => values)];
    const known = charts.get(figure.id);
    if (known && known.holder === holder && known.data.series.length === data.series.length) {
      known.data = data;
      known.plot.setData(rows);
    } else {
      known?.plot.destroy();
      holder.replaceChildren();
      charts.set(figure.id, { data, holder, plot: null });
      charts.get(figure.id).plot = new uPlot(options(figure, data, holder.clientWidth), rows, holder);
    }
    const index = charts.get(figure.id).plot.cursor.idx ?? null;
    legend(figure, data, index);
  }

  async function load(figure) {
    try {
      const answer = await fetch(figure.dataset.chart, { headers: { accept: "application/json" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const data = await answer.json();
      if (figure.isConnected) draw(figure, data);
    } catch {
      if (!charts.has(figure.id)) nothing(figure, "The figures could not be read.");
    }
  }

  const every = () => [...document.querySelectorAll("figure[data-chart]")];
  let asked = 0;

  function renew() {
    asked = 0;
    for (const [id, { plot, holder }] of charts) {
      if (!holder.isConnected) {
        plot.destroy();
        charts.delete(id);
      }
    }
    for (const figure of every()) load(figure);
  }

  function soon(milliseconds) {
    if (!asked) asked = setTimeout(renew, milliseconds);
  }

  function again() {
    for (const figure of every()) {
      const known = charts.get(figure.id);
      if (!known) continue;
      known.plot.destroy();
      charts.delete(figure.id);
      draw(figure, known.data);
    }
  }

  new ResizeObserver(() => {
    for (const { plot, holder } of charts.values()) {
      if (holder.clientWidth && holder.clientWidth !== plot.width) plot.setSize({ width: holder.clientWidth, height: 150 });
    }
  }).observe(document.getElementById("main"));
  document.addEventListener("workhorse:theme", again);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target.id === "main") soon(every().some((figure) => !charts.has(figure.id)) ? 0 : 5000);
  });
  setInterval(() => document.hidden || soon(0), 10000);
  renew();
})();
