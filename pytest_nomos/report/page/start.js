// Listeners; from here on the page is alive.
const form = byId("filters");
const plain = new Set(["verdict", "chaos", "clauses", "matrix", "run"]);
let waiting = 0;

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", (event) => {
  const { id, value } = event.target;
  if (!FIELDS.includes(id)) return;
  state[id] = value;
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => { refresh(); remember(); });
});
form.addEventListener("reset", () => {
  state.outcomes.clear();
  state.open.clear();
  for (const name of FIELDS) state[name] = "";
  for (const chip of chips) chip.setAttribute("aria-pressed", "false");
  refresh();
  remember();
});
for (const chip of chips) {
  chip.addEventListener("click", () => {
    const { outcome } = chip.dataset;
    if (!state.outcomes.delete(outcome)) state.outcomes.add(outcome);
    chip.setAttribute("aria-pressed", String(state.outcomes.has(outcome)));
    refresh();
    remember();
  });
}

body.addEventListener("click", (event) => {
  const line = event.target.closest("tr.line");
  if (!line) return;
  const button = event.target.closest("button.open");
  // A click on the text opens too, unless it ends a selection.
  if (!button && !getSelection().isCollapsed) return;
  open(line, line.querySelector("button.open").getAttribute("aria-expanded") !== "true");
  remember();
});
body.addEventListener("keydown", (event) => {
  if (!event.target.matches("button.open")) return;
  const buttons = [...body.querySelectorAll("button.open")];
  const here = buttons.indexOf(event.target);
  const next = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: buttons.length - 1 }[event.key];
  if (next === undefined || !buttons[next]) return;
  event.preventDefault();
  buttons[next].focus();
});
byId("more").addEventListener("click", () => {
  const first = drawnRows;
  drawMore(PAGE);
  body.querySelectorAll("button.open")[first]?.focus();
});

const experiments = JSON.parse(byId("experiments").textContent);
let drawnExperiments = 0;

function drawExperiments(count) {
  const place = byId("timelines");
  if (!place) return;
  for (const experiment of experiments.slice(drawnExperiments, drawnExperiments + count)) {
    const outcome = index.outcomes[experiment.outcome];
    const { name } = index.targets[experiment.target];
    place.append(figure(experiment, make("p", { class: "head" },
      make("a", { href: `#open=${encodeURIComponent(`${experiment.clause}@${name}`)}&q=${experiment.clause}` }, experiment.clause),
      " ", make("span", { class: `pill ${outcome}` }, make("span", { "aria-hidden": "true" }, SYMBOLS[outcome]),
        ` ${words(outcome)}`),
      index.targets.length > 1 ? make("bdi", { class: "of" }, name) : null)));
  }
  drawnExperiments = Math.min(experiments.length, drawnExperiments + count);
  const left = experiments.length - drawnExperiments;
  byId("more-timelines").hidden = left === 0;
  byId("more-timelines").textContent = `Show ${Math.min(20, left)} more of ${left.toLocaleString("en")}`;
}

byId("more-timelines")?.addEventListener("click", () => drawExperiments(20));

const THEMES = ["auto", "light", "dark"];
const theme = byId("theme");

function showTheme(given) {
  const name = THEMES.includes(given) ? given : "auto";
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  theme.textContent = `Theme: ${name}`;
}

theme.addEventListener("click", () => {
  const name = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme || "auto") + 1) % THEMES.length];
  showTheme(name);
  try {
    localStorage.setItem("nomos-theme", name);
  } catch {
    // It lasts as long as the page is open.
  }
});
showTheme(document.documentElement.dataset.theme || "auto");
// Chosen on another page of the kit; and what was chosen just before this page was opened may be heard of only now.
addEventListener("storage", (event) => {
  if (event.key === "nomos-theme") showTheme(event.newValue);
});

addEventListener("hashchange", () => {
  if (plain.has(location.hash.slice(1))) return;
  recall();
  refresh();
  if (state.open.size) byId("clauses").scrollIntoView();
});
addEventListener("beforeprint", () => drawMore(Math.max(0, FEW_FOR_PRINT - drawnRows)));

form.hidden = false;
theme.hidden = false;
if (!plain.has(location.hash.slice(1))) recall();
refresh();
drawExperiments(4);
document.documentElement.dataset.ready = "";
