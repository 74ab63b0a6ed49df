"use strict";
const root = document.documentElement;
const theme = document.getElementById("theme");
const system = matchMedia("(prefers-color-scheme: dark)");

// Pages opened from a folder may have no storage.
function remembered(value) {
  try {
    if (value) localStorage.setItem("pg2-theme", value);
    return localStorage.getItem("pg2-theme");
  } catch {
    return value;
  }
}

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
}

function nameTheme() {
  theme.textContent = isDark() ? "Light" : "Dark";
  theme.setAttribute("aria-label", `Switch to ${theme.textContent.toLowerCase()} colours`);
}

const before = remembered();
if (before) root.dataset.theme = before;
nameTheme();
system.addEventListener("change", nameTheme);
theme.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  remembered(root.dataset.theme);
  nameTheme();
});

// The section that is read is marked in the contents.
const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
const observer = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting) {
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }
}, { rootMargin: "-15% 0px -80% 0px" });
for (const section of document.querySelectorAll("main section")) observer.observe(section);

for (const table of document.querySelectorAll(".sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
    // What is missing comes before all numbers; names with numbers in them sort by these.
    const compare = (a, b) => (a !== "" && b !== "" ? a - b : 0) || a.localeCompare(b, undefined, { numeric: true });
    const rows = [...body.rows].sort((a, b) => compare(value(a), value(b)));
    body.append(...(up ? rows : rows.reverse()));
  }));
}

const filters = document.getElementById("filters");
if (filters) {
  const list = document.getElementById("pairs");
  const pairs = [...list.children];
  const field = (name) => filters.elements[name]?.value ?? "";
  const update = () => {
    const group = field("group");
    const words = field("text").toLowerCase().split(/\s+/);
    const [low, high] = field("difference") ? field("difference").split(" ").map(Number) : [];
    const [key, sign] = field("order").split(" ");
    let count = 0;
    for (const pair of pairs) {
      const { groups, text, difference } = pair.dataset;
      const inGroup = groups.split(" ").some((g) => !group || g === group || g.endsWith(`-${group}`));
      const inRange = low === undefined || (difference !== "" && difference >= low && difference < high);
      pair.hidden = !(inGroup && inRange && words.every((word) => text.includes(word)));
      count += !pair.hidden;
    }
    // A pair without the value comes last either way.
    const rank = (pair) => (pair.dataset[key] ? Number(pair.dataset[key]) * sign : Infinity);
    const order = new Map(pairs.map((pair) => [pair, rank(pair)]));
    list.append(...[...pairs].sort((a, b) => (order.get(a) < order.get(b) ? -1 : order.get(a) > order.get(b) ? 1 : 0)));
    document.getElementById("count").textContent = `${count} of ${pairs.length} pairs`;
  };
  filters.addEventListener("input", (event) => {
    if (event.target.name !== "size") return update();
    list.style.setProperty("--height", `${event.target.value}px`);
    list.style.setProperty("--column", `${event.target.value * 3.1}px`);
  });
  filters.addEventListener("submit", (event) => event.preventDefault());
  // A browser may keep what was chosen before a reload.
  update();
}

const zoom = document.getElementById("zoom");
let shown = null;
function show(pair) {
  shown = pair;
  const shots = document.createElement("div");
  shots.className = "shots";
  shots.append(...[...pair.querySelectorAll(".shot")].map((shot) => shot.cloneNode(true)));
  zoom.querySelector(".content").replaceChildren(shots, pair.querySelector(".about").cloneNode(true));
  if (!zoom.open) zoom.showModal();
}
function go(step) {
  const pairs = [...shown.parentElement.children].filter((pair) => !pair.hidden);
  const next = pairs[pairs.indexOf(shown) + step];
  if (next) show(next);
}
document.addEventListener("click", (event) => {
  const pair = event.target.closest("button.shots")?.closest(".pair");
  if (pair) show(pair);
});
zoom.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (event.target === zoom || button?.hasAttribute("data-close")) zoom.close();
  else if (button?.dataset.go) go(Number(button.dataset.go));
});
zoom.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") go(-1);
  if (event.key === "ArrowRight") go(1);
});
zoom.addEventListener("close", () => shown?.querySelector("button.shots").focus());
