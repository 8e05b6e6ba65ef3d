// The picture of an experiment. It is drawn for the width that it has, so that its letters keep their size.
const LANE = 38;
const pictures = new Map();
let pictureCount = 0;

function nice(seconds, wanted) {
  const rough = seconds / wanted || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((step) => step * power >= rough);
}

function number(value) {
  return value.toFixed(value < 10 ? 2 : 1).replace(/\.?0+$/, "");
}

function long(seconds) {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${number(seconds)} s`;
}

function cut(text, width) {
  const most = Math.max(4, Math.floor(width / 6.9));
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function picture(timeline, width) {
  const pad = 9;
  const inner = Math.max(120, width - 2 * pad);
  const healing = timeline.recovery;
  const ends = timeline.probes.map((probe) => probe.at + probe.elapsed);
  const span = Math.max(timeline.seconds, 0.001, ...ends, healing ? healing.at_start + healing.seconds : 0,
    ...timeline.faults.flat().map((bar) => bar.end));
  const x = (at) => pad + (Math.min(at, span) / span) * inner;
  const lanes = timeline.faults.length * LANE;
  const dots = lanes + 24;
  const marks = dots + 22;
  const axis = marks + (healing ? 34 : 4);
  const height = axis + 24;
  const id = `picture-${++pictureCount}`;
  const root = draw("svg", { class: "timeline", width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-labelledby": `${id}-t`, "aria-describedby": `${id}-d` },
  draw("title", { id: `${id}-t` }, "Chaos timeline"),
  draw("desc", { id: `${id}-d` }, timeline.words));
  const add = (name, attributes, ...children) => root.append(draw(name, attributes, ...children));
  if (healing) {
    const from = x(healing.at_start);
    add("rect", { class: "allowed", x: from, y: 0, height: axis,
      width: Math.max(1, x(healing.at_start + healing.within) - from) });
    add("line", { class: "ended", x1: from, x2: from, y1: 0, y2: axis });
  }
  const step = nice(span, Math.max(3, Math.floor(inner / 90)));
  for (let tick = 0; tick <= span + step / 1e6; tick += step) {
    const last = x(tick) > width - 24;
    add("line", { class: "grid", x1: x(tick), x2: x(tick), y1: 0, y2: axis + 4 });
    add("text", { class: "tick", x: Math.min(x(tick), width - 2), y: axis + 18,
      "text-anchor": tick === 0 ? "start" : last ? "end" : "middle" }, `${number(tick)} s`);
  }
  add("line", { class: "axis", x1: pad, x2: pad + inner, y1: axis, y2: axis });
  timeline.faults.forEach((bars, lane) => {
    const top = lane * LANE;
    const [first] = bars;
    const from = x(first.start);
    const end = Math.max(from + 3, x(bars.at(-1).end));
    const unfelt = bars.filter((bar) => !bar.bit).length;
    const label = [first.fault, first.mechanism].filter(Boolean).join(" · ") + (bars.length > 1 ? ` · ${bars.length} times` : "")
      + (unfelt ? ` · ${bars.length > 1 ? `${unfelt} ` : ""}not felt` : "");
    const back = from > width / 2;
    add("text", { class: "label", x: back ? end : from, y: top + 13, "text-anchor": back ? "end" : "start" },
      cut(label, back ? end - 4 : width - from - 4));
    for (const bar of bars) {
      add("rect", { class: bar.bit ? "fault" : "fault unfelt", x: x(bar.start), y: top + 18,
        width: Math.max(3, x(bar.end) - x(bar.start)), height: 12, rx: 3 },
      draw("title", {}, `${bar.fault}: ${number(bar.start)} s to ${number(bar.end)} s. ${bar.bit}`));
    }
  });
  for (const probe of timeline.probes) {
    const at = x(probe.at);
    const kind = probe.ok ? "good" : "bad";
    const shape = probe.ok
      ? draw("circle", { cx: at, cy: dots, r: 3.6 })
      : draw("path", { d: `M${at - 4} ${dots - 4}l8 8m0-8l-8 8` });
    add("g", { class: `probe ${kind}` },
      draw("title", {}, `${number(probe.at)} s: ${probe.code} in ${long(probe.elapsed)}`),
      draw("line", { x1: at, x2: x(probe.at + probe.elapsed), y1: dots, y2: dots }), shape);
  }
  if (healing) {
    const from = x(healing.at_start);
    const to = x(healing.at_start + healing.seconds);
    add("path", { class: `healing ${healing.met ? "met" : "missed"}`,
      d: `M${from} ${marks - 5}v10M${from} ${marks}H${to}M${to} ${marks - 5}v10` });
    const told = healing.met
      ? `recovered in ${long(healing.seconds)} (bound ${number(healing.within)} s)`
      : `not recovered in ${long(healing.seconds)} (bound ${number(healing.within)} s)`;
    const fits = from + told.length * 7.2 < width;
    add("text", { class: `told ${healing.met ? "met" : "missed"}`, x: fits ? from : width - 2, y: marks + 20,
      "text-anchor": fits ? "start" : "end" }, told);
  }
  return root;
}

const watcher = typeof ResizeObserver === "function" ? new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    const known = pictures.get(target);
    const width = Math.floor(contentRect.width);
    if (!known || width < 50 || width === known.width) continue;
    known.width = width;
    target.replaceChildren(picture(known.timeline, width));
  }
}) : null;

// A picture with the words that say the same.
function figure(timeline, caption = null) {
  const frame = make("div", { class: "frame" });
  pictures.set(frame, { timeline, width: 0 });
  if (watcher) watcher.observe(frame);
  else frame.append(picture(timeline, 700));
  return make("figure", { class: timeline.healed ? "experiment" : "experiment unhealed" },
    caption, frame, make("figcaption", {}, timeline.words));
}

function forget(node) {
  for (const frame of node.querySelectorAll(".frame")) {
    pictures.delete(frame);
    if (watcher) watcher.unobserve(frame);
  }
}
