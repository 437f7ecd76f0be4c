/* A film's page: curves, unfolding numbers, and the lineage that lights up what belongs together. */
"use strict";
(() => {
  const film = Object.values(window.rutileFilms || {})[0];
  if (film) document.querySelectorAll("[data-chart]").forEach((figure) => rutileCharts.attach(figure, film.curves[+figure.dataset.chart], film.growth_id));

  const open = (row, on) => {
    row.classList.toggle("open", on);
    document.querySelector(`[aria-controls="${row.id}"]`).setAttribute("aria-expanded", String(on));
  };
  document.querySelectorAll(".more").forEach((button) => button.addEventListener("click", () => {
    const row = document.getElementById(button.getAttribute("aria-controls"));
    open(row, !row.classList.contains("open"));
  }));
  const unfold = document.getElementById("unfold");
  if (unfold) unfold.addEventListener("click", () => {
    const on = unfold.getAttribute("aria-pressed") !== "true";
    unfold.setAttribute("aria-pressed", String(on));
    document.querySelectorAll(".detail").forEach((row) => open(row, on));
  });

  const picture = document.querySelector(".lineage"), said = document.getElementById("lineage-said");
  const nodes = [...picture.querySelectorAll(".node")], edges = [...picture.querySelectorAll(".edge")];
  const up = new Map(nodes.map((node) => [node.dataset.id, node.dataset.up ? node.dataset.up.split(" ") : []]));
  function trace(id) {
    const above = up.get(id), below = nodes.map((node) => node.dataset.id).filter((other) => up.get(other).includes(id));
    const on = new Set([id, ...above, ...below]);
    picture.classList.add("traced");
    nodes.forEach((node) => node.classList.toggle("on", on.has(node.dataset.id)));
    edges.forEach((edge) => edge.classList.toggle("on", on.has(edge.dataset.from) && on.has(edge.dataset.to)));
    const files = above.filter((name) => name.startsWith("file-")).length, numbers = below.filter((name) => name.startsWith("number-")).length;
    said.textContent = `${picture.querySelector(`[data-id="${id}"] title`).textContent}: made from ${files} file${files === 1 ? "" : "s"}, ${numbers} number${numbers === 1 ? "" : "s"} made from it.`;
  }
  function rest() {
    const pinned = document.activeElement && document.activeElement.closest && document.activeElement.closest(".node");
    if (pinned) return trace(pinned.dataset.id);
    picture.classList.remove("traced");
    edges.forEach((edge) => edge.classList.remove("on"));
  }
  nodes.forEach((node) => {
    node.addEventListener("mouseenter", () => trace(node.dataset.id));
    node.addEventListener("mouseleave", rest);
    node.addEventListener("focus", () => trace(node.dataset.id));
    node.addEventListener("blur", rest);
  });
  document.querySelectorAll(".in-picture").forEach((link) => link.addEventListener("click", (event) => {
    event.preventDefault();
    const node = document.querySelector(link.getAttribute("href"));
    node.scrollIntoView({ block: "center", inline: "center" });
    node.focus({ preventScroll: true });
    trace(node.dataset.id);
  }));
  function arrived() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.matches("details")) { target.open = true; target.scrollIntoView(); }
    if (target && target.matches("tr")) { target.setAttribute("tabindex", "-1"); target.focus({ preventScroll: true }); }
  }
  window.addEventListener("hashchange", arrived);
  arrived();
})();
