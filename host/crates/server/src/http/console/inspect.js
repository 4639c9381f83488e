// Why a key is there, for how long, and how it stands.

import { Refused, get } from "./api.js";
import { byId, facts, make } from "./dom.js";
import { bytes, span, text } from "./format.js";

async function explain(key, db) {
  const place = byId("explanation");
  let content;
  try {
    content = shown(key, await get(`/v1/explain/${encodeURIComponent(key)}?db=${db}`));
  } catch (error) {
    const reason = error instanceof Refused ? error.message : "the server does not answer";
    content = make("p", { text: `This cannot be told: ${reason}` });
  }
  place.replaceChildren(make("div", {}, content));
}

function shown(key, told) {
  const lines = (list) => (list?.length ? make("ul", {}, ...list.map((line) => make("li", { text: text(line) }))) : "");
  const isThere = told.resident === "yes";
  return facts([
    ["Key", make("span", { class: "code", text: key })],
    ["Resident", told.resident],
    ["Tenant", told.tenant],
    ["Eviction by", told.eviction_policy],
    ["Takes", isThere ? `${bytes(told.bytes)}, its value ${bytes(told.value_bytes)}` : ""],
    ["Expires", isThere ? (told.ttl_ms < 0 ? "never" : `in ${span(told.ttl_ms)}`) : ""],
    ["Priority", isThere ? String(told.priority) : ""],
    ["Last access", isThere ? `${span(told.last_access_ms_ago)} ago` : ""],
    ["Standing", told.standing],
    ["Place", isThere ? `shard ${told.shard}, slot ${told.slot}` : ""],
    ["Type", told.type === null || told.type === undefined ? "" : text(told.type)],
    ["Said of it", lines(told.said)],
    ["Decisions", lines(told.decisions)],
  ]);
}

export function start() {
  const form = byId("inspect-form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    explain(form.elements.key.value, form.elements.db.value || "0");
  });
  // An address that ends with #inspect=KEY can be handed on.
  const named = location.hash.match(/^#inspect=(.+)$/);
  if (!named) return;
  try {
    form.elements.key.value = decodeURIComponent(named[1]);
  } catch {
    return; // No address that we made.
  }
  form.requestSubmit();
}
