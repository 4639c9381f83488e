// The policies: how they stand, what they cost, what happened to them, and what may be done about it.

import { Refused, get, order } from "./api.js";
import { badge, byId, cell, facts, fill, make, tell, write } from "./dom.js";
import { bytes, count, moment, nanoseconds } from "./format.js";

const parts = new Map();
let last = "";

export async function refresh() {
  const [{ policies }, { events }] = await Promise.all([get("/v1/policies"), get("/v1/policies/history")]);
  show(policies);
  const text = JSON.stringify(events);
  if (text !== last) {
    last = text;
    const row = (event) =>
      make("tr", {}, cell(moment(event.at_ms), "when"), cell(event.policy), cell(badge(event.state)), cell(event.why));
    fill(byId("history"), events.map(row), 4, "Nothing has happened since the server started.");
  }
}

function show(policies) {
  const list = byId("policy-list");
  const seen = new Set();
  for (const policy of policies) {
    const id = `${policy.runtime} ${policy.file} ${policy.name}`;
    seen.add(id);
    if (!parts.has(id)) {
      parts.set(id, card());
      list.append(parts.get(id).element);
    }
    update(parts.get(id), policy);
  }
  for (const [id, part] of parts) {
    if (seen.has(id)) continue;
    part.element.remove();
    parts.delete(id);
  }
}

function card() {
  const part = { name: make("strong"), state: make("span"), kinds: make("span", { class: "kinds" }), cost: make("span", { class: "cost" }), inside: make("div", { class: "inside" }), text: "" };
  const summary = make("summary", {}, part.name, part.state, part.kinds, part.cost);
  part.element = make("details", { class: "policy" }, summary, part.inside);
  return part;
}

function update(part, policy) {
  const { figures } = policy;
  write(part.name, policy.name);
  if (part.state.textContent !== policy.state) part.state.replaceChildren(badge(policy.state));
  write(part.kinds, `${policy.kinds.join(", ") || "nothing"} · ${policy.runtime} · tenant ${policy.tenant}`);
  const offences = figures.traps + figures.deadlines_missed + figures.wrong_answers;
  const isWasm = policy.runtime === "wasm" && figures.calls > 0;
  // The time is an estimate from samples, and there may be none yet.
  const each = figures.call_ns ? ` of ${nanoseconds(figures.call_ns / figures.calls)}` : "";
  const mean = isWasm ? `${count(figures.calls)} calls${each}` : "";
  write(part.cost, [mean, offences ? `${count(offences)} offences` : ""].filter(Boolean).join(" · "));
  const text = JSON.stringify(policy);
  // What somebody reads or is about to press stays where it is.
  if (text === part.text || part.inside.contains(document.activeElement)) return;
  part.text = text;
  part.inside.replaceChildren(detail(policy), actions(policy));
}

function detail(policy) {
  const { figures } = policy;
  const parameters = Object.entries(policy.parameters).map(([name, value]) => `${name}=${value}`);
  const wasm = policy.runtime === "wasm";
  return facts([
    ["Why", policy.why],
    ["File", policy.file],
    ["Keys", policy.keys],
    ["Version", policy.version],
    ["Digest", policy.digest],
    ["Loaded", policy.loaded_ms ? moment(policy.loaded_ms) : ""],
    ["Parameters", parameters.join(", ")],
    ["Offences", wasm ? `${count(figures.traps)} traps, ${count(figures.deadlines_missed)} deadlines missed, ${count(figures.wrong_answers)} wrong answers` : ""],
    ["Values refused", wasm ? count(figures.refused_values) : ""],
    ["Instances", wasm ? `${count(figures.instances)}, with ${bytes(figures.memory_bytes)}` : ""],
    ["Lines of log", wasm ? `${count(figures.log_lines)}, and ${count(figures.log_lines_dropped)} too many` : ""],
  ]);
}

function actions(policy) {
  if (!policy.file || policy.state === "refused") return null;
  const isOff = policy.state === "disabled" || policy.state === "quarantined";
  const button = (action, label, question) =>
    make("button", { type: "button", text: label, onclick: (event) => act(event.currentTarget, policy.name, action, question) });
  return make(
    "div",
    { class: "actions" },
    isOff || policy.state === "candidate" ? button("enable", "Enable", `Put ${policy.name} in force?`) : null,
    isOff ? null : button("disable", "Disable", `Take ${policy.name} out of force?`),
    policy.has_previous ? button("rollback", "Roll back", `Bring back the version of ${policy.name} before this one?`) : null,
  );
}

async function act(button, name, action, question) {
  if (!(await confirmed(question))) return;
  button.disabled = true;
  await give(`/v1/policies/${encodeURIComponent(name)}/${action}`, `${name}: done (${action}).`);
  button.disabled = false;
  button.blur();
  await refresh();
}

async function give(path, done) {
  try {
    await order(path);
    tell(done);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    tell(`The server refused: ${error.message}`);
  }
}

function confirmed(question) {
  const dialog = byId("confirm");
  byId("confirm-text").textContent = question;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true });
  });
}

export function start() {
  byId("reload").addEventListener("click", async () => {
    await give("/v1/policies/reload", "The folder of policies was looked at.");
    await refresh();
  });
}
