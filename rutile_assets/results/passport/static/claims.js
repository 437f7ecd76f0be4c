/* The claims: search in words, choose by verdict and by what tests them; the choice stands in the address. */
"use strict";
(() => {
  const table = document.getElementById("claims");
  if (!table) return;
  const rows = [...table.tBodies[0].rows], texts = rows.map((row) => row.textContent.toLowerCase());
  const search = document.getElementById("search"), verdict = document.getElementById("verdict");
  const kind = document.getElementById("kind"), said = document.getElementById("said");

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    rows.forEach((row, i) => {
      const fits = words.every((word) => texts[i].includes(word)) &&
        (!verdict.value || row.dataset.verdict === verdict.value) && (!kind.value || row.dataset.kind === kind.value);
      row.hidden = !fits;
      left += fits;
    });
    said.textContent = `${left} of ${rows.length} claims`;
  }
  let waiting;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 80); });
  [verdict, kind].forEach((choice) => choice.addEventListener("change", filter));
  document.querySelector(".search").addEventListener("submit", (event) => { event.preventDefault(); filter(); });
  if (search.value || verdict.value || kind.value) filter();
})();
