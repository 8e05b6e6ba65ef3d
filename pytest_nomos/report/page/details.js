// What a row shows when it is opened.
const said = byId("found");

function block(title, text, kind = "") {
  if (!text) return null;
  return make("div", { class: `block ${kind}` }, make("h4", {}, title), make("p", {}, make("bdi", {}, text)));
}

function code(text, label) {
  return make("pre", { tabindex: "0", "aria-label": label }, text);
}

async function copy(text, button, source) {
  let done = false;
  try {
    await navigator.clipboard.writeText(text);
    done = true;
  } catch {
    // No clipboard here (an insecure origin): select the line, and try the old way.
    const range = document.createRange();
    range.selectNodeContents(source);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    done = document.execCommand("copy");
  }
  button.textContent = done ? "Copied" : "Press Ctrl+C";
  said.textContent = done ? "The replay line was copied." : "The replay line is selected.";
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

function replay(text) {
  const line = make("code", {}, text);
  const button = make("button", { type: "button", class: "copy", "aria-label": "Copy the replay line" }, "Copy");
  button.addEventListener("click", () => copy(text, button, line));
  return make("div", { class: "block replay" }, make("h4", {}, "Replay"),
    make("div", { class: "line" }, make("pre", { tabindex: "0", "aria-label": "Replay line" }, line), button));
}

function noted(title, table) {
  if (!table) return null;
  const entries = Object.entries(table).map(([name, text]) =>
    make("div", {}, make("dt", {}, make("bdi", {}, name)), make("dd", {}, code(text, name))));
  return make("div", { class: "block" }, make("h4", {}, title), make("dl", { class: "noted" }, ...entries));
}

function check(found, several) {
  const outcome = index.outcomes[found.outcome];
  const node = index.nodes[found.node];
  return make("article", { class: "check" },
    make("p", { class: "node" }, several ? make("span", { class: `pill ${outcome}` }, words(outcome)) : null,
      several ? " " : null, make("code", {}, node), ` ${found.seconds.toFixed(3)} s`),
    block("Blocked by", found.blocked_by),
    block("Expected", found.expected),
    block("Got", found.got, "got"),
    block("Reason", found.reason),
    block("How to mend it", found.mend, "mend"),
    ...(found.timelines || []).map((timeline) => figure(timeline)),
    found.exchanges ? make("div", { class: "block" }, make("h4", {}, "On the wire"),
      ...found.exchanges.map((call) => make("details", { open: found.exchanges.length < 3 },
        make("summary", {}, make("bdi", {}, call.title)), code(call.json, call.title)))) : null,
    noted("Evidence", found.evidence),
    noted("Observed", found.observed),
    found.replay ? replay(found.replay) : null);
}

function details(result) {
  const checks = detailsOf(result.target)[result.position];
  const killed = index.killed[result.id];
  const due = ["standard", "cli"].filter((_, place) => result.due & (1 << place));
  return [
    make("p", { class: "about" }, `Tier ${result.tier}; ${due.length
      ? `due in profile ${due.join(" and ")}` : "in no edition yet, so it is not counted"}.`),
    ...checks.map((found) => check(found, checks.length > 1)),
    checks.length ? null : make("p", {}, "No check of this clause was run."),
    killed ? make("div", { class: "block" }, make("h4", {}, `Kills ${killed.length} mutant${killed.length > 1 ? "s" : ""}`),
      make("p", {}, ...killed.flatMap((name) => [make("code", {}, name), " "]))) : null,
  ].filter(Boolean);
}
