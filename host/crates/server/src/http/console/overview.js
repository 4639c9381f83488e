// The figures of this moment, and of the two minutes before.

import { byId, make, write } from "./dom.js";
import { bytes, count, percent, rate } from "./format.js";

const POINTS = 120;
const SVG = "http://www.w3.org/2000/svg";

// Each card: what it is called, what it draws, how its value and its note read.
const CARDS = [
  { name: "Hit ratio", of: (s) => s.ratio, top: 1, value: (s) => (s.ratio === null ? "–" : percent(s.ratio, 1)), note: (s) => `${percent(s.total.hits, s.total.hits + s.total.misses)} since the start` },
  { name: "Operations a second", of: (s) => s.operations, value: (s) => rate(s.operations), note: (s) => `${rate(s.errors)} errors a second` },
  { name: "Hits a second", of: (s) => s.hits, value: (s) => rate(s.hits), note: (s) => `${count(s.total.hits)} in all` },
  { name: "Misses a second", of: (s) => s.misses, value: (s) => rate(s.misses), note: (s) => `${count(s.total.misses)} in all` },
  { name: "Memory in use", of: (s) => s.total.used_bytes, top: (s) => s.limit, value: (s) => bytes(s.total.used_bytes), note: (s) => `of ${bytes(s.limit)}; resident ${bytes(s.resident)}` },
  { name: "Entries", of: (s) => s.total.entries, value: (s) => count(s.total.entries), note: (s) => `${count(s.total.entries_with_ttl)} of them expire` },
  { name: "Evictions a second", of: (s) => s.evictions, value: (s) => rate(s.evictions), note: (s) => `${count(s.total.evictions)} in all, ${percent(s.total.fallback_evictions, s.total.evictions)} by the fallback` },
  { name: "Connections", of: (s) => s.connections, value: (s) => count(s.connections), note: (s) => `${count(s.rejected)} turned away` },
];

const SUMMED = ["hits", "misses", "used_bytes", "entries", "entries_with_ttl", "evictions", "fallback_evictions"];

let before = null;
let samples = [];
let drawn = [];

function sample(stats) {
  const total = {};
  for (const name of SUMMED) total[name] = stats.tenants.reduce((sum, tenant) => sum + tenant[name], 0);
  const now = { at: stats.now_ms, total, executed: stats.commands.executed, failed: stats.commands.errors };
  // A server that was started anew counts from 0 again.
  const isNew = before === null || now.at <= before.at || now.executed < before.executed;
  const seconds = isNew ? 1 : (now.at - before.at) / 1000;
  const grown = (value, old) => (isNew ? 0 : Math.max(0, value - old) / seconds);
  const rates = {};
  for (const name of ["hits", "misses", "evictions"]) rates[name] = grown(total[name], before?.total[name]);
  const looks = rates.hits + rates.misses;
  const result = {
    ...rates,
    total,
    ratio: looks > 0 ? rates.hits / looks : null,
    operations: grown(now.executed, before?.executed),
    errors: grown(now.failed, before?.failed),
    limit: stats.memory.limit_bytes,
    resident: stats.memory.resident_bytes,
    connections: stats.connections.open,
    rejected: stats.connections.rejected,
  };
  before = now;
  return result;
}

function card({ name }) {
  const value = make("p", { class: "value", text: "–" });
  const note = make("p", { class: "note" });
  const chart = document.createElementNS(SVG, "svg");
  chart.setAttribute("class", "chart");
  chart.setAttribute("viewBox", `0 0 ${POINTS - 1} 40`);
  chart.setAttribute("preserveAspectRatio", "none");
  chart.setAttribute("role", "img");
  const path = (kind) => {
    const element = document.createElementNS(SVG, "path");
    element.setAttribute("class", kind);
    chart.append(element);
    return element;
  };
  const element = make("article", { class: "card" }, make("h3", { text: name }), value, note, chart);
  return { element, value, note, chart, area: path("area"), line: path("line") };
}

function draw(part, { name, of, top }, latest) {
  const values = samples.map(of);
  const known = values.filter((value) => value !== null);
  const wanted = typeof top === "function" ? top(latest) : top;
  const highest = wanted ?? Math.max(1, ...known) * 1.1;
  const points = [];
  values.forEach((value, at) => {
    if (value === null) return;
    const x = POINTS - values.length + at;
    points.push(`${x},${(39 - 38 * Math.min(1, value / highest)).toFixed(2)}`);
  });
  part.line.setAttribute("d", points.length ? `M${points.join("L")}` : "");
  const ends = points.length ? [points[0], points.at(-1)].map((point) => point.split(",")[0]) : [];
  part.area.setAttribute("d", points.length ? `M${ends[0]},40L${points.join("L")}L${ends[1]},40Z` : "");
  part.chart.setAttribute("aria-label", `${name}, the last ${samples.length} seconds`);
}

export function show(stats) {
  if (!drawn.length) {
    drawn = CARDS.map(card);
    byId("cards").replaceChildren(...drawn.map((part) => part.element));
  }
  const latest = sample(stats);
  samples.push(latest);
  samples = samples.slice(-POINTS);
  CARDS.forEach((kind, at) => {
    write(drawn[at].value, kind.value(latest));
    write(drawn[at].note, kind.note(latest));
    draw(drawn[at], kind, latest);
  });
}
