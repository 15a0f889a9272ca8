"use strict";
const time = us => us >= 1e6 ? `${(us / 1e6).toPrecision(3)} s` :
  us >= 1000 ? `${(us / 1000).toPrecision(3)} ms` :
  us >= 1 || us === 0 ? `${us.toPrecision(3)} µs` : `${(us * 1000).toPrecision(3)} ns`;
const many = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;

/* The arrow keys go over the heat map. */
for (const svg of document.querySelectorAll("figure svg")) {
  const heat = svg.querySelector(".heat"), cursor = svg.querySelector(".cursor");
  const output = svg.parentElement.querySelector("output");
  const rows = +heat.dataset.rows, perRow = +heat.dataset.perRow, span = +heat.dataset.span;
  const columns = 48, x0 = +cursor.getAttribute("x"), y0 = +cursor.getAttribute("y");
  const cells = new Map(heat.dataset.cells.split(";").map(cell => {
    const [c, r, pages, faults] = cell.split(",").map(Number);
    return [`${c},${r}`, [pages, faults]];
  }));
  let column = 0, row = 0;
  const say = () => {
    cursor.setAttribute("x", x0 + column * cursor.getAttribute("width"));
    cursor.setAttribute("y", y0 + row * cursor.getAttribute("height"));
    const [pages, faults] = cells.get(`${column},${row}`) || [0, 0];
    const last = Math.min(+heat.dataset.pages, (row + 1) * perRow) - 1;
    output.textContent = `${time(column * span / columns)} to ` +
      `${time((column + 1) * span / columns)}, pages ${row * perRow} to ${last}: ` +
      `${many(faults, "fault")}, ${many(pages, "page")} brought in`;
  };
  svg.addEventListener("focus", say);
  svg.addEventListener("keydown", event => {
    const move = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
    if (!(event.key in move))
      return;
    event.preventDefault();
    column = Math.max(0, Math.min(columns - 1, column + move[event.key][0]));
    row = Math.max(0, Math.min(rows - 1, row + move[event.key][1]));
    say();
  });
}

/* The slider takes the pages of its section back in time. */
const words = Object.fromEntries([...document.querySelectorAll("[data-kind]")].map(
  item => [item.dataset.kind, item.querySelector("span").textContent]));
for (const slider of document.querySelectorAll("input[type=range]"))
  slider.addEventListener("input", () => {
    const part = slider.value / 1000;
    for (const figure of slider.closest("section").querySelectorAll("figure")) {
      const state = figure.querySelector(".state"), pages = {};
      let faults = 0;
      for (const rect of state.querySelectorAll("[data-t]")) {
        const here = rect.dataset.t <= part && !(rect.dataset.u <= part);
        rect.style.display = here ? "inline" : "none";
        const kind = rect.getAttribute("class");
        if (here && kind !== "own")
          pages[kind] = (pages[kind] || 0) + +rect.dataset.n;
        faults += here && kind === "own" ? 1 : 0;
      }
      const states = Object.entries(pages).map(
        ([kind, n]) => `${many(n, "page")} ${words[kind]}`).join("; ") || "no page is there";
      figure.querySelector("output").textContent =
        `After ${time(part * state.dataset.span)}: ${many(faults, "fault")}; ` +
        `of ${many(+state.dataset.pages, "page")}: ${states}`;
    }
  });
