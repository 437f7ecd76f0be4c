/* Films side by side: their data come by script tags, so that it works from disk. */
"use strict";
(() => {
  const said = document.getElementById("said"), table = document.getElementById("numbers"), curves = document.getElementById("curves"), list = document.getElementById("chosen");
  const asked = () => [...new Set(location.hash.slice(1).split(",").filter(Boolean).map(decodeURIComponent))];
  const make = (tag, text, attributes) => Object.assign(document.createElement(tag), text == null ? {} : { textContent: text }, attributes || {});
  const allowed = new Set([...document.querySelectorAll("#all option")].map((o) => o.value));

  const load = (film) => new Promise((resolve) => {
    if ((window.rutileFilms || {})[film]) return resolve(film);
    const script = make("script", null, { src: `films/${encodeURIComponent(film)}/data.js`, onload: () => resolve(film), onerror: () => resolve(null) });
    document.head.append(script);
  });

  function numbers(films) {
    const rows = new Map();
    films.forEach((film, i) => film.numbers.forEach((n) => {
      const key = [n.technique, n.quantity, n.subject].join("\u0000");
      if (!rows.has(key)) rows.set(key, { n, cells: [] });
      rows.get(key).cells[i] = rows.get(key).cells[i] || n;
    }));
    const head = make("tr");
    ["technique", "quantity", ...films.map((f) => f.growth_id), "unit"].forEach((text, i) => { const th = make("th", text, { scope: "col" }); if (i > 1 && i < films.length + 2) th.className = "n"; if (i === 0) th.className = "wide-only"; head.append(th); });
    const body = make("tbody");
    for (const { n, cells } of rows.values()) {
      const tr = make("tr"), th = make("th", n.label, { scope: "row", title: n.quantity });
      if (n.subject) th.append(" ", make("span", n.subject, { className: "of" }));
      tr.append(make("td", n.technique.replaceAll("_", " "), { className: "soft wide-only" }), th, ...films.map((_, i) => make("td", cells[i] ? cells[i].shown : "–", { className: "n" })), make("td", n.unit));
      body.append(tr);
    }
    const thead = make("thead");
    thead.append(head);
    table.replaceChildren(make("caption", "Numbers of the films side by side", { className: "hidden" }), thead, body);
  }

  function overlaid(films) {
    curves.replaceChildren();
    const kinds = new Map();
    films.forEach((film) => film.curves.forEach((chart) => { if (!kinds.has(chart.kind)) kinds.set(chart.kind, []); if (!kinds.get(chart.kind).some(([f]) => f === film)) kinds.get(chart.kind).push([film, chart]); }));
    for (const charts of kinds.values()) {
      const [, first] = charts[0], title = first.title.split(": ")[0] + (first.kind.includes(" ") ? ": " + first.kind.split(" ").slice(1).join(" ") : "");
      const series = charts.flatMap(([film, chart]) => chart.series.map((s) => ({ ...s, film: film.growth_id, name: `${film.growth_id} ${s.name}` })));
      const figure = make("figure", null, { className: "chart" }), caption = make("figcaption");
      caption.append(make("h3", title));
      const plot = make("div", null, { className: "plot", tabIndex: 0 });
      plot.setAttribute("role", "img");
      plot.setAttribute("aria-label", `${title}: ${first.y_label} against ${first.x_label}, ${charts.map(([f]) => f.growth_id).join(", ")}`);
      const tools = make("p", null, { className: "tools soft" }), log = make("button", "log scale", { type: "button", className: "log" });
      log.setAttribute("aria-pressed", String(first.log));
      tools.append(log, " ", make("button", "CSV", { type: "button", className: "csv" }));
      figure.append(caption, plot, tools);
      curves.append(figure);
      rutileCharts.attach(figure, { ...first, title, series }, "compare");
    }
  }

  async function show() {
    const wanted = asked().filter((film) => allowed.has(film));
    const films = (await Promise.all(wanted.map(load))).filter(Boolean).map((name) => window.rutileFilms[name]);
    list.replaceChildren(...films.map((film, i) => {
      const item = make("li"), link = make("a", film.growth_id, { href: `films/${encodeURIComponent(film.growth_id)}/index.html` });
      const drop = make("button", "remove", { type: "button", onclick: () => { location.hash = asked().filter((f) => f !== film.growth_id).map(encodeURIComponent).join(","); } });
      drop.setAttribute("aria-label", `remove ${film.growth_id}`);
      item.append(link, ` ${film.stack || ""}${film.origin === "simulated" ? " (simulated)" : ""} `, drop);
      return item;
    }));
    const lost = asked().filter((film) => !films.some((f) => f.growth_id === film));
    said.textContent = lost.length ? `No film is called ${lost.join(", ")}.` : films.length ? `${films.length} film${films.length === 1 ? "" : "s"} compared.` : "Add films, or choose them in the list of all films.";
    numbers(films);
    overlaid(films);
  }
  document.querySelector(".search").addEventListener("submit", (event) => {
    event.preventDefault();
    const add = document.getElementById("add"), name = add.value.trim();
    if (!name) return;
    location.hash = [...new Set([...asked(), name])].map(encodeURIComponent).join(",");
    add.value = "";
  });
  window.addEventListener("hashchange", show);
  show();
})();
