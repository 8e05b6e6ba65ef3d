// Elements are made one by one and texts are set as texts: no string ever becomes markup.
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

function make(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function draw(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

const byId = (id) => document.getElementById(id);
const words = (outcome) => outcome.replaceAll("_", " ");
const SYMBOLS = {
  failed: "✗",
  unexpected_pass: "‼",
  blocked: "■",
  not_run: "○",
  waived: "~",
  warned: "△",
  passed: "✓",
  not_applicable: "–",
};

const index = JSON.parse(byId("index").textContent);
const parsed = new Map();

// The details of a target, parsed when first asked for.
function detailsOf(target) {
  if (!parsed.has(target)) parsed.set(target, JSON.parse(byId(`details-${target}`).textContent));
  return parsed.get(target);
}

// One object for each result; `place` is its position in the report.
const results = [];
index.targets.forEach((target, number) => {
  target.results.forEach(([clause, outcome, due, seconds], position) => {
    const [id, interface_, level, tier, sentence, sources] = index.clauses[clause];
    results.push({
      place: results.length, target: number, position, id, interface: interface_, level, tier, sentence, sources,
      outcome: index.outcomes[outcome], rank: outcome, due, seconds, text: null, key: `${id}@${target.name}`,
    });
  });
});
