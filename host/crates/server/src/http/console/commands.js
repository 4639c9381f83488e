// Which commands took long, and how long each takes.

import { get } from "./api.js";
import { byId, cell, fill, make } from "./dom.js";
import { count, microseconds, moment, text } from "./format.js";

let last = "";

export async function refresh() {
  const [{ entries }, { commands }] = await Promise.all([get("/v1/slowlog"), get("/v1/latency")]);
  commands.sort((one, other) => other.calls - one.calls);
  fill(byId("times"), commands.map(times), 6, "No command was called since the server started.");
  // What somebody reads or copies stays as it is while nothing is new.
  const log = JSON.stringify(entries);
  if (log === last) return;
  last = log;
  fill(byId("slowlog"), entries.map(slow), 4, "No command took long.");
}

function times(command) {
  const figure = (us) => cell(microseconds(us), "number");
  return make(
    "tr",
    {},
    make("th", { scope: "row", text: command.name }),
    cell(count(command.calls), "number"),
    figure(command.mean_us),
    figure(command.p50_us),
    figure(command.p99_us),
    figure(command.p999_us),
  );
}

function slow(entry) {
  const name = text(entry.client_name);
  return make(
    "tr",
    {},
    cell(moment(entry.at_ms), "when"),
    cell(microseconds(entry.took_us), "number"),
    cell(entry.args.map(text).join(" "), "code"),
    cell(name ? `${name} (${entry.client})` : entry.client),
  );
}
