/* The index: search in words and in numbers, sort, choose films to compare. */
"use strict";
(() => {
  const body = document.querySelector("#films tbody"), rows = [...body.rows], search = document.getElementById("search");
  const count = document.getElementById("count"), said = document.getElementById("said"), compare = document.getElementById("compare");
  const texts = rows.map((row) => row.textContent.toLowerCase()), ids = rows.map((row) => row.querySelector("input").value);
  const ASKED = /([a-z][a-z0-9_]*)\s*(<=|>=|<|>|=)\s*(-?[0-9.]+(?:e[-+]?[0-9]+)?)/gi;
  const HOLDS = { "<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b, "=": (a, b) => Math.abs(a - b) <= 1e-6 * Math.abs(b) };

  /** Numbers, and notes with names of files, come when they are first asked for, by a script tag: it works from disk. */
  const promised = {};
  const loaded = (file, name) => promised[file] || (promised[file] = new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `assets/${file}`;
    script.onload = () => resolve(window[name]);
    script.onerror = reject;
    document.head.append(script);
  }));

  let turn = 0;
  async function filter() {
    const mine = ++turn, text = search.value.trim(), asked = [...text.matchAll(ASKED)];
    const words = text.replace(ASKED, " ").toLowerCase().split(/\s+/).filter(Boolean);
    const known = asked.length ? await loaded("numbers.js", "rutileNumbers") : {};
    const written = words.length ? await loaded("texts.js", "rutileTexts") : {};
    if (mine !== turn) return;
    const missing = asked.map((a) => a[1]).filter((name) => !known[name]);
    let left = 0;
    rows.forEach((row, i) => {
      const fits = words.every((word) => texts[i].includes(word) || (written[ids[i]] || "").includes(word)) &&
        asked.every(([, name, sign, value]) => ((known[name] || {})[ids[i]] || []).some((v) => HOLDS[sign](v, +value)));
      row.hidden = !fits;
      left += fits;
    });
    count.textContent = left;
    said.textContent = missing.length ? `No number is called ${missing[0]}.` : text ? `${left} film${left === 1 ? "" : "s"} found.` : "";
  }
  let waiting;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 80); });

  const headings = [...document.querySelectorAll("#films thead th")];
  headings.forEach((heading, column) => {
    const button = heading.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const isNumber = heading.classList.contains("n");
      const keys = new Map(rows.map((row) => {
        const cell = row.cells[column];
        return [row, isNumber ? (cell.dataset.v ?? cell.textContent) === "" ? null : +(cell.dataset.v ?? cell.textContent) : cell.textContent];
      }));
      const order = [...rows].sort((a, b) => {
        const x = keys.get(a), y = keys.get(b);
        if (x === null || y === null) return (x === null) - (y === null);
        const way = isNumber ? x - y : x.localeCompare(y, "en", { numeric: true });
        return down ? -way : way;
      });
      body.append(...order);
    });
  });

  const chosen = () => rows.map((row) => row.querySelector("input")).filter((box) => box.checked).map((box) => box.value);
  function told() {
    const n = chosen().length;
    document.getElementById("chosen").textContent = n;
    compare.disabled = n < 2;
  }
  body.addEventListener("change", told);
  document.querySelector(".search").addEventListener("submit", (event) => {
    event.preventDefault();
    const films = chosen();
    if (films.length > 1) location.href = "compare.html#" + films.map(encodeURIComponent).join(",");
  });
  told();
  function arrived() {
    if (location.hash.startsWith("#find=")) {
      try { search.value = decodeURIComponent(location.hash.slice(6)); } catch { /* a link that was cut */ }
    }
    if (search.value) filter();
  }
  window.addEventListener("hashchange", arrived);
  arrived();
})();
