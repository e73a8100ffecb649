"use strict";

/* Draws the states that /events sends. All text goes in as text, never as markup. */

const SVG = "http://www.w3.org/2000/svg";
const NUMBER = new Intl.NumberFormat("en");
const SAID = {
  call: (from, to) => `${from} calls ${to}`,
  write: (from, to) => `${from} writes to topic ${to}`,
  read: (from, to) => `${to} reads topic ${from}`,
};
const WIDE = 1080; // pixels from which layers go from left to right

const byId = (id) => document.getElementById(id);

let latest = null;
const counts = new Map();
const filled = new Map(); // what the parts of the page show

function element(name, attributes = {}, text = null, children = []) {
  const made = document.createElement(name);
  return complete(made, attributes, text, children);
}

function shape(name, attributes = {}, text = null, children = []) {
  return complete(document.createElementNS(SVG, name), attributes, text, children);
}

function complete(made, attributes, text, children) {
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  made.append(...children);
  return made;
}

const number = (value) => (value === null ? "–" : NUMBER.format(value));
const rate = (value) => (value === null ? "–" : value === 0 ? "0" : value.toFixed(1));

function show(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

function changed(what, content) {
  const text = JSON.stringify(content);
  const differs = filled.get(what) !== text;
  filled.set(what, text);
  return differs;
}

function status(state, text) {
  byId("status").dataset.state = document.body.dataset.state = state;
  show("status-text", text);
}

/* Sizes in pixels, and where a place of the layout is. */
function frame(graph, width) {
  const wide = width >= WIDE;
  const across = wide ? 92 : Math.min(width / graph.breadth, 160);
  const along = wide ? (width - 120) / Math.max(graph.layers - 1, 1) : 116;
  const node = { width: Math.min(wide ? along - 72 : across - 4, 116), height: 46 };
  const half = (wide ? node.width : node.height) / 2;
  const [ends, breadth] = [half + 2, graph.breadth * across];
  const point = ([layer, position]) => {
    const main = ends + layer * along;
    return wide ? { x: main, y: breadth / 2 + position * across } : { x: width / 2 + position * across, y: main };
  };
  return { wide, node, half, point, height: wide ? breadth : (graph.layers - 1) * along + 2 * ends };
}

/* Where an edge goes: from border to border, straight past the nodes beside it, bent in between; and its label. */
function route(edge, { wide, half, point }, bias) {
  const main = wide ? "x" : "y";
  const points = edge.places.map(point);
  const way = Math.sign(points.at(-1)[main] - points[0][main]) || 1;
  const moved = (from, by) => ({ ...from, [main]: from[main] + way * by });
  const [first, ...rest] = points;
  const tip = moved(rest.pop(), -half - 7);
  const stops = [moved(first, half), ...rest.flatMap((place) => [moved(place, -half), moved(place, half)]), tip];
  const path = [`M${stops[0].x} ${stops[0].y}`];
  for (let at = 1; at < stops.length; at += 1) {
    const [from, to] = [stops[at - 1], stops[at]];
    const middle = (from[main] + to[main]) / 2;
    const [one, two] = [{ ...from, [main]: middle }, { ...to, [main]: middle }];
    path.push(`C${one.x} ${one.y} ${two.x} ${two.y} ${to.x} ${to.y}`);
  }
  return { path: path.join(""), tip, way, label: rest.at(-1) ?? onCurve(stops[0], tip, main, bias) };
}

/* The point of the curve between two stops that a part of the way, 0 to 1, leads to. */
function onCurve(from, to, main, part) {
  const left = 1 - part;
  const [start, one, two, end] = [left ** 3, 3 * left ** 2 * part, 3 * left * part ** 2, part ** 3];
  const mixed = (axis, weight) => weight * from[axis] + (1 - weight) * to[axis];
  const other = main === "x" ? "y" : "x";
  // Both bends lie half way in the main direction, and beside their own end in the other.
  return { [main]: mixed(main, start + (one + two) / 2), [other]: mixed(other, 1 - two - end) };
}

function drawEdge(edge, frame, graph) {
  const out = graph.edges.filter((other) => other.source === edge.source && other.places.length === 2).length;
  const into = graph.edges.filter((other) => other.target === edge.target && other.places.length === 2).length;
  const { path, tip, way, label } = route(edge, frame, into > out ? 0.36 : into < out ? 0.64 : 0.5);
  const arrow = frame.wide
    ? `M${tip.x} ${tip.y - 4}l${way * 7} 4l${-way * 7} 4z`
    : `M${tip.x - 4} ${tip.y}l4 ${way * 7}l4 ${-way * 7}z`;
  const line = shape("g", { class: "edge", "data-edge": edge.id }, null, [
    shape("path", { class: `line ${edge.kind}`, d: path }),
    shape("path", { class: `tip ${edge.kind}`, d: arrow }),
  ]);
  const text = shape("g", { class: "label", "data-edge": edge.id }, null, [
    shape("rect", { class: "plate", x: label.x, y: label.y - 15, height: 30, rx: 6 }),
    shape("text", { class: "count", x: label.x, y: label.y - 6 }),
    shape("text", { class: "rate", x: label.x, y: label.y + 8 }),
  ]);
  return [line, text];
}

function drawNode(node, frame) {
  const { x, y } = frame.point(node.place);
  const { width, height } = frame.node;
  const name = shape("text", { x, y: y - 8 }, node.name);
  const group = shape("g", { class: `node ${node.kind}`, "data-node": node.id }, null, [
    shape("title", {}, node.id),
    shape("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: node.kind === "topic" ? height / 2 : 8 }),
    name,
    shape("text", { class: "detail", x, y: y + 10 }, node.detail),
  ]);
  return [group, name];
}

function drawGraph(graph) {
  const picture = byId("graph");
  const width = picture.clientWidth;
  if (!changed("graph", [width, graph.nodes, graph.edges.map((edge) => [edge.id, edge.kind, edge.places])])) return;
  const scale = frame(graph, width);
  const nodes = graph.nodes.map((node) => drawNode(node, scale));
  picture.setAttribute("viewBox", `0 0 ${width} ${scale.height}`);
  picture.setAttribute("height", scale.height);
  const edges = graph.edges.map((edge) => drawEdge(edge, scale, graph));
  // What is read lies above what is only a line.
  picture.replaceChildren(
    ...edges.map(([line]) => line),
    ...edges.map(([, label]) => label),
    ...nodes.map(([group]) => group),
  );
  const room = scale.node.width - 8;
  for (const [, name] of nodes) {
    if (name.getComputedTextLength() > room) {
      name.setAttribute("textLength", room);
      name.setAttribute("lengthAdjust", "spacingAndGlyphs");
    }
  }
}

function fillGraph(edges) {
  const known = new Map(edges.map((edge) => [edge.id, edge]));
  for (const label of byId("graph").querySelectorAll(".label")) {
    const edge = known.get(label.dataset.edge);
    const tells = edge.count !== null;
    const [plate, count, below] = label.children;
    count.textContent = tells ? number(edge.count) : "";
    below.textContent = tells ? `${rate(edge.rate)}/s` : "";
    const room = Math.max(count.getComputedTextLength(), below.getComputedTextLength()) + 8;
    plate.toggleAttribute("hidden", !tells);
    plate.setAttribute("width", room);
    plate.setAttribute("x", Number(count.getAttribute("x")) - room / 2);
  }
  for (const line of byId("graph").querySelectorAll(".edge")) {
    const { id, count } = known.get(line.dataset.edge);
    if (count === null) continue;
    if (counts.has(id) && count > counts.get(id)) {
      line.classList.add("moved");
      setTimeout(() => line.classList.remove("moved"), 150);
    }
    counts.set(id, count);
  }
}

function fillEdges({ nodes, edges }) {
  const names = new Map(nodes.map((node) => [node.id, node.kind === "service" ? `${node.name} ${node.detail}` : node.name]));
  byId("edges").tBodies[0].replaceChildren(...edges.map((edge) =>
    element("tr", { "data-edge": edge.id }, null, [
      element("th", { scope: "row" }, SAID[edge.kind](names.get(edge.source), names.get(edge.target)), [
        element("span", { class: "facts" }, edge.facts.map(([name, value]) => `${name} ${value}`).join(" · ")),
      ]),
      element("td", { class: "number" }, number(edge.count)),
      element("td", { class: "number" }, rate(edge.rate)),
    ])));
}

function fillReport(windows) {
  const table = byId("report");
  table.hidden = windows.length === 0;
  byId("no-report").hidden = windows.length > 0;
  for (const body of [...table.tBodies]) body.remove();
  table.append(...windows.map(({ start, end, groups }) =>
    element("tbody", { class: "window" }, null, [
      element("tr", {}, null, [
        element("th", { colspan: 3, scope: "rowgroup" }, `${start.slice(0, 10)}, ${start.slice(11, 19)} to ${end.slice(11, 19)} UTC`),
      ]),
      ...groups.map((group) => element("tr", {}, null, [
        element("td", {}, group.destination ? `${group.origin} → ${group.destination}` : group.origin),
        element("td", {}, group.version),
        element("td", { class: "number" }, number(group.count)),
      ])),
    ])));
}

function render() {
  const { lab, faults, counted, graph, report, unmatched } = latest;
  document.title = `Kafka on Istio · ${lab}`;
  show("lab", lab);
  if (faults.length > 0) status("away", `The cluster is away, trying again (${faults.join("; ")})`);
  else if (counted) status("live", "Live");
  else status("wait", "Counting what is in Kafka already…");
  byId("unmatched").hidden = unmatched === 0;
  show("unmatched", `${number(unmatched)} records in Kafka belong to no connection that is declared.`);
  drawGraph(graph);
  fillGraph(graph.edges);
  if (changed("edges", graph)) fillEdges(graph);
  if (changed("report", report)) fillReport(report);
}

const events = new EventSource("/events");
events.onmessage = (event) => {
  latest = JSON.parse(event.data);
  render();
};
events.onerror = () => status("away", "Connection lost: `make watch` does not answer. Trying again.");
new ResizeObserver(() => latest && render()).observe(byId("graph"));
