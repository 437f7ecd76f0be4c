/* Charts of the pages: uPlot with the page's own colours, drawn when scrolled to and before printing. */
"use strict";
(() => {
  const INKS = ["#1f5fa8", "#b4540a", "#2c7a4b", "#8a3d8f", "#6b6b6b", "#a8323e", "#3f7f8c", "#7a6a1d"];
  const DARK = ["#7fb2f0", "#f0a45e", "#78cf9b", "#d69bdb", "#b5b5b5", "#f08d97", "#86cfdd", "#d3c16b"];
  const DASHES = [[], [8, 3], [3, 3], [10, 3, 2, 3]];
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches && !matchMedia("print").matches;
  const short = (v) => (v == null ? "–" : Math.abs(v) >= 1e5 || (v !== 0 && Math.abs(v) < 1e-3) ? (+v.toPrecision(4)).toExponential() : String(+v.toPrecision(5)));
  const superscripts = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
  const power = (v) => "10" + String(Math.round(Math.log10(v))).replace(/./g, (c) => superscripts[c]);

  /** One table of x and of every series, as uPlot wants it: series with the same x share it. */
  function joined(series) {
    const same = series.every((s) => s.x.length === series[0].x.length && s.x.every((x, i) => x === series[0].x[i]));
    if (same) return [series[0].x, ...series.map((s) => s.y)];
    return uPlot.join(series.map((s) => [s.x, s.y]));
  }

  class Chart {
    constructor(place, chart) {
      this.place = place;
      this.chart = chart;
      this.isLog = chart.log && this.canBeLog();
      this.plot = null;
    }
    canBeLog() {
      return this.chart.series.every((s) => s.y.every((y) => y == null || y >= 0));
    }
    draw(width) {
      if (this.plot) this.plot.destroy();
      const inks = isDark() ? DARK : INKS;
      const axis = { stroke: css("--ink"), grid: { stroke: css("--line"), width: 0.5 }, ticks: { stroke: css("--line"), width: 1 }, font: "12px system-ui, sans-serif", labelFont: "13px system-ui, sans-serif" };
      const colours = new Map();
      const ink = (s, i) => { const key = s.film || s.group || i; if (!colours.has(key)) colours.set(key, colours.size); return colours.get(key); };
      const shown = joined(this.chart.series);
      const data = this.isLog ? shown.map((column, i) => (i ? column.map((y) => (y === undefined || y > 0 ? y : null)) : column)) : shown;
      this.plot = new uPlot({
        width: width || Math.max(this.place.clientWidth, 260), height: 300, padding: [8, 12, 0, 0],
        cursor: { drag: { x: true, y: false } },
        scales: { x: { time: false }, y: this.isLog ? { distr: 3 } : {} },
        axes: [{ ...axis, label: this.chart.x_label, labelSize: 24, size: 36, values: (u, ticks) => ticks.map(short) },
               { ...axis, label: this.chart.y_label, labelSize: 22, size: 62, values: (u, ticks) => ticks.map((v) => (v == null ? "" : this.isLog ? (Math.abs(Math.log10(v) % 1) < 1e-9 ? power(v) : "") : short(v))) }],
        series: [{ label: this.chart.x_label, value: (u, v) => short(v) },
          ...this.chart.series.map((s, i) => {
            const n = ink(s, i), stroke = inks[n % inks.length], points = s.style === "points";
            return { label: s.name, stroke, width: points ? 0 : 1.6, spanGaps: false, value: (u, v) => short(v),
              dash: points ? [] : DASHES[n % DASHES.length],
              points: { show: points, size: s.x.length > 400 ? 3 : 5, fill: points ? undefined : stroke, stroke, width: 1 } };
          })],
      }, data, this.place);
      if (!this.whole) this.whole = [data[0][0], data[0][data[0].length - 1]];
      this.place.chart = this;
    }
    setLog(on) {
      this.isLog = on && this.canBeLog();
      this.draw();
      return this.isLog;
    }
    move(factor, shift) {
      const { min, max } = this.plot.scales.x, half = ((max - min) / 2) * factor, middle = (min + max) / 2 + shift * (max - min);
      this.plot.setScale("x", { min: Math.max(middle - half, this.whole[0]), max: Math.min(middle + half, this.whole[1]) });
    }
    key(event) {
      const act = { "+": [0.7, 0], "=": [0.7, 0], "-": [1.4, 0], ArrowLeft: [1, -0.1], ArrowRight: [1, 0.1] }[event.key];
      if (event.key === "0") this.plot.setScale("x", { min: this.whole[0], max: this.whole[1] });
      else if (act) this.move(...act);
      else return;
      event.preventDefault();
    }
    csv() {
      const head = [this.chart.x_label, ...this.chart.series.map((s) => s.name)];
      const columns = joined(this.chart.series), quote = (t) => `"${String(t).replaceAll('"', '""')}"`;
      return [head.map(quote).join(","), ...columns[0].map((x, i) => columns.map((c) => c[i] ?? "").join(","))].join("\n") + "\n";
    }
  }

  /** Wire up a figure: drawn when it comes into sight. */
  function attach(figure, chart, name) {
    const place = figure.querySelector(".plot"), one = new Chart(place, chart);
    const log = figure.querySelector(".log"), csv = figure.querySelector(".csv");
    const draw = () => { if (!one.plot) one.draw(); };
    new IntersectionObserver((seen, observer) => { if (seen.some((s) => s.isIntersecting)) { draw(); observer.disconnect(); } }, { rootMargin: "200px" }).observe(figure);
    place.addEventListener("keydown", (event) => one.plot && one.key(event));
    if (log) {
      log.hidden = !one.canBeLog();
      log.addEventListener("click", () => { draw(); log.setAttribute("aria-pressed", String(one.setLog(!one.isLog))); });
    }
    csv.addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([one.csv()], { type: "text/csv" }));
      link.download = `${name}_${chart.key}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
    window.addEventListener("beforeprint", () => one.draw(460));
    window.addEventListener("afterprint", () => one.draw());
    let waiting;
    window.addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(() => one.plot && one.plot.setSize({ width: Math.max(place.clientWidth, 260), height: 300 }), 150); });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => one.plot && one.draw());
    return one;
  }
  window.rutileCharts = { attach, INKS, DARK, isDark };
})();
