"use strict";

/* Draws the states that /events sends. All text goes in as text, never as markup. */

const SVG = "http://www.w3.org/2000/svg";
const NUMBER = new Intl.NumberFormat("en");
const KINDS = { call: "calls", write: "writes to", read: "is read by" };
const WIDE = 900; // pixels from which layers go from left to right

const byId = (id) => document.getElementById(id);

let latest = null;
let drawn = ""; // what the graph on the page was drawn from
let counts = new Map();

function element(name, attributes = {}, text = null, children = []) {
  const made = document.createElement(name);
  return filled(made, attributes, text, children);
}

function shape(name, attributes = {}, text = null, children = []) {
  return filled(document.createElementNS(SVG, name), attributes, text, children);
}

function filled(made, attributes, text, children) {
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  made.append(...children);
  return made;
}

const number = (value) => (value === null ? "–" : NUMBER.format(value));
const rate = (value) => (value === null ? "–" : value.toFixed(1));

function show(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

function status(state, text) {
  byId("status").dataset.state = document.body.dataset.state = state;
  show("status-text", text);
}

/* Sizes in pixels, and where a place of the layout is. */
function frame(graph, width) {
  const wide = width >= WIDE;
  const across = wide ? 92 : Math.min((width - 8) / graph.breadth, 160);
  const along = wide ? (width - 120) / Math.max(graph.layers - 1, 1) : 112;
  const node = wide ? { width: Math.min(along - 64, 120), height: 46 } : { width: Math.min(across - 6, 120), height: 46 };
  const ends = (wide ? node.width : node.height) / 2 + 2;
  const size = { across: graph.breadth * across, along: (graph.layers - 1) * along + 2 * ends };
  const point = ([layer, position]) => {
    const [x, y] = [ends + layer * along, size.across / 2 + position * across];
    return wide ? { x, y } : { x: width / 2 + position * across, y: x };
  };
  return { wide, node, point, height: wide ? size.across : size.along };
}

/* A line through the points, along the layers' direction at each of them; and where its label stands. */
function route(points, wide, bias) {
  const main = wide ? "x" : "y";
  const bent = (from, to) => {
    const middle = (from[main] + to[main]) / 2;
    return wide
      ? [from, { x: middle, y: from.y }, { x: middle, y: to.y }, to]
      : [from, { x: from.x, y: middle }, { x: to.x, y: middle }, to];
  };
  const parts = points.slice(1).map((to, index) => bent(points[index], to));
  const path = parts.map(([, one, two, to]) => `C${one.x} ${one.y} ${two.x} ${two.y} ${to.x} ${to.y}`).join("");
  const last = parts.at(-1);
  const at = (axis) => {
    const t = bias, u = 1 - t;
    const [a, b, c, d] = last.map((point) => point[axis]);
    return u * u * u * a + 3 * u * u * t * b + 3 * u * t * t * c + t * t * t * d;
  };
  return { path: `M${points[0].x} ${points[0].y}${path}`, label: { x: at("x"), y: at("y") } };
}

function drawEdge(edge, frame, graph) {
  const points = edge.places.map(frame.point);
  const main = frame.wide ? "x" : "y";
  const half = (frame.wide ? frame.node.width : frame.node.height) / 2;
  const way = Math.sign(points.at(-1)[main] - points[0][main]) || 1;
  points[0][main] += way * half;
  points.at(-1)[main] -= way * (half + 7);
  const out = graph.edges.filter((other) => other.source === edge.source).length;
  const into = graph.edges.filter((other) => other.target === edge.target).length;
  const { path, label } = route(points, frame.wide, into > out ? 0.38 : into < out ? 0.62 : 0.5);
  const tip = points.at(-1);
  const arrow = frame.wide
    ? `M${tip.x} ${tip.y - 4}l${way * 7} 4l${-way * 7} 4z`
    : `M${tip.x - 4} ${tip.y}l4 ${way * 7}l4 ${-way * 7}z`;
  return shape("g", { class: "edge", "data-edge": edge.id }, null, [
    shape("path", { class: `line ${edge.kind}`, d: path }),
    shape("path", { class: `tip ${edge.kind}`, d: arrow }),
    shape("rect", { class: "plate", x: label.x - 19, y: label.y - 16, width: 38, height: 32, rx: 6 }),
    shape("text", { class: "count", x: label.x, y: label.y - 7 }),
    shape("text", { class: "rate", x: label.x, y: label.y + 8 }),
  ]);
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
  const plan = JSON.stringify([width, graph.nodes, graph.edges.map((edge) => [edge.id, edge.kind, edge.places])]);
  if (plan === drawn) return;
  drawn = plan;
  const scale = frame(graph, width);
  const nodes = graph.nodes.map((node) => drawNode(node, scale));
  picture.setAttribute("viewBox", `0 0 ${width} ${scale.height}`);
  picture.setAttribute("height", scale.height);
  picture.replaceChildren(
    ...graph.edges.map((edge) => drawEdge(edge, scale, graph)),
    ...nodes.map(([group]) => group),
  );
  const room = scale.node.width - 10;
  for (const [, name] of nodes) {
    if (name.getComputedTextLength() > room) {
      name.setAttribute("textLength", room);
      name.setAttribute("lengthAdjust", "spacingAndGlyphs");
    }
  }
}

function fillGraph(edges) {
  const known = new Map(edges.map((edge) => [edge.id, edge]));
  for (const group of byId("graph").querySelectorAll(".edge")) {
    const edge = known.get(group.dataset.edge);
    const [count, below] = group.querySelectorAll("text");
    const tells = edge.count !== null;
    count.textContent = tells ? number(edge.count) : "";
    below.textContent = tells ? `${rate(edge.rate)}/s` : "";
    group.querySelector(".plate").toggleAttribute("hidden", !tells);
    if (tells && counts.has(edge.id) && edge.count > counts.get(edge.id)) {
      group.classList.add("moved");
      setTimeout(() => group.classList.remove("moved"), 150);
    }
    if (tells) counts.set(edge.id, edge.count);
  }
}

function fillEdges({ nodes, edges }) {
  const names = new Map(nodes.map((node) => [node.id, node.kind === "service" ? `${node.name} ${node.detail}` : node.name]));
  byId("edges").tBodies[0].replaceChildren(...edges.map((edge) =>
    element("tr", { "data-edge": edge.id }, null, [
      element("th", { scope: "row" }, `${names.get(edge.source)} ${KINDS[edge.kind]} ${names.get(edge.target)}`, [
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
  if (faults.length > 0) status("away", `The cluster is away, trying again. ${faults.join("; ")}`);
  else if (counted) status("live", "Live");
  else status("wait", "Counting what is in Kafka already…");
  byId("unmatched").hidden = unmatched === 0;
  show("unmatched", `${number(unmatched)} records in Kafka belong to no connection that is declared.`);
  drawGraph(graph);
  fillGraph(graph.edges);
  fillEdges(graph);
  fillReport(report);
}

const events = new EventSource("/events");
events.onmessage = (event) => {
  latest = JSON.parse(event.data);
  render();
};
events.onerror = () => status("away", "Connection lost: `make watch` does not answer. Trying again.");
new ResizeObserver(() => latest && render()).observe(byId("graph"));
