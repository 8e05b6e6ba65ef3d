// The table: which rows, in which order, and which of them are open. All of it stands in the fragment of the address.
const PAGE = 100;
const FEW_FOR_PRINT = 2000;
const FIELDS = ["q", "target", "level", "interface", "order"];
const body = byId("rows");
const chips = [...document.querySelectorAll("[data-outcome]")];
const state = { outcomes: new Set(), open: new Set(), q: "", target: "", level: "", interface: "", order: "" };
let matching = [];
let drawnRows = 0;

function haystack(result) {
  if (result.text === null) {
    const checks = detailsOf(result.target)[result.position].map((found) =>
      [index.nodes[found.node], found.expected, found.got, found.mend, found.reason, found.blocked_by, found.replay,
        ...(found.exchanges || []).map((call) => call.json), ...Object.values(found.evidence || {}),
        ...Object.values(found.observed || {})].join("\n"));
    result.text = [result.id, result.level, words(result.outcome), result.sentence, result.sources.join(" "),
      index.targets.length > 1 ? index.targets[result.target].name : "", ...checks].join("\n").toLowerCase();
  }
  return result.text;
}

function find() {
  const target = state.target ? index.targets.findIndex((entry) => entry.name === state.target) : -1;
  const wanted = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  matching = results.filter((result) =>
    (!state.outcomes.size || state.outcomes.has(result.outcome))
    && (!state.target || result.target === target)
    && (!state.level || result.level === state.level)
    && (!state.interface || result.interface === state.interface)
    && wanted.every((word) => haystack(result).includes(word)));
  if (state.order === "slowest") matching.sort((a, b) => b.seconds - a.seconds || a.place - b.place);
  else if (state.order !== "contract") matching.sort((a, b) => a.rank - b.rank || a.place - b.place);
}

function cell(name, ...children) {
  return make("td", { role: "cell", class: name }, ...children);
}

function row(result) {
  const id = `row-${result.place}`;
  const several = index.targets.length > 1;
  const button = make("button", { type: "button", class: "open", "aria-expanded": "false", "aria-controls": id },
    make("span", { class: "arrow", "aria-hidden": "true" }, "▸"), result.id);
  const line = make("tr", { role: "row", class: "line", "data-key": result.key },
    make("th", { scope: "row", role: "rowheader", class: "id" }, button,
      several ? make("bdi", { class: "of" }, index.targets[result.target].name) : null),
    cell("level", result.level),
    cell("outcome", make("span", { class: `pill ${result.outcome}` },
      make("span", { "aria-hidden": "true" }, SYMBOLS[result.outcome]), ` ${words(result.outcome)}`),
    result.due ? null : make("small", {}, " not counted")),
    cell("sentence", make("bdi", {}, result.sentence)),
    cell("source", result.sources.join("; ")));
  line.result = result;
  if (state.open.has(result.key)) queueMicrotask(() => open(line, true));
  return line;
}

function open(line, wanted) {
  const { result } = line;
  const button = line.querySelector("button.open");
  const isOpen = button.getAttribute("aria-expanded") === "true";
  if (wanted === isOpen) return;
  button.setAttribute("aria-expanded", String(wanted));
  line.classList.toggle("opened", wanted);
  if (wanted) {
    line.after(make("tr", { role: "row", class: "details", id: `row-${result.place}` },
      make("td", { role: "cell", colspan: 5 }, make("div", { class: "inside" }, ...details(result)))));
    state.open.add(result.key);
  } else {
    forget(line.nextElementSibling);
    line.nextElementSibling.remove();
    state.open.delete(result.key);
  }
}

function drawMore(count) {
  const next = matching.slice(drawnRows, drawnRows + count);
  body.append(...next.map(row));
  drawnRows += next.length;
  const left = matching.length - drawnRows;
  byId("more").hidden = left === 0;
  byId("more").textContent = `Show ${Math.min(PAGE, left)} more of ${left.toLocaleString("en")}`;
}

function tell() {
  const all = results.length.toLocaleString("en");
  const shown = matching.length.toLocaleString("en");
  const noun = results.length === 1 ? "clause" : "clauses";
  said.textContent = !results.length ? "No clause was tried."
    : !matching.length ? `No clause of ${all} matches.`
      : matching.length === results.length ? `${all} ${noun}` : `${shown} of ${all} ${noun}`;
}

function refresh() {
  find();
  forget(body);
  body.replaceChildren();
  drawnRows = 0;
  drawMore(PAGE);
  tell();
  byId("table").hidden = !matching.length;
}

function fragment() {
  const parts = new URLSearchParams();
  if (state.outcomes.size) parts.set("outcome", [...state.outcomes].join(","));
  for (const name of FIELDS) if (state[name]) parts.set(name, state[name]);
  if (state.open.size) parts.set("open", [...state.open].slice(0, 20).join(","));
  return parts.toString();
}

function remember() {
  const text = fragment();
  history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
}

function recall() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const among = (name) => (parts.get(name) || "").split(",").filter(Boolean);
  state.outcomes = new Set(among("outcome").filter((outcome) => index.outcomes.includes(outcome)));
  state.open = new Set(among("open"));
  for (const name of FIELDS) {
    const field = byId(name);
    if (!field) continue;
    field.value = parts.get(name) || "";
    // A select takes no value that it does not offer.
    if (field.value !== (parts.get(name) || "")) field.value = "";
    state[name] = field.value;
  }
  for (const chip of chips) chip.setAttribute("aria-pressed", String(state.outcomes.has(chip.dataset.outcome)));
}
