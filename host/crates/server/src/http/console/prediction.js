// What is fetched before anybody asks for it, by tenant.

import { get } from "./api.js";
import { badge, byId, cell, fill, make } from "./dom.js";
import { bytes, count, percent, span } from "./format.js";

export async function refresh() {
  const { tenants } = await get("/v1/prediction");
  fill(byId("prediction-rows"), tenants.map(row), 8, "There are no tenants to be seen.");
}

function row(told) {
  const decided = told.used + told.wasted;
  return make(
    "tr",
    {},
    make("th", { scope: "row", text: told.tenant }),
    make("td", {}, badge(told.state)),
    cell(told.why),
    cell(count(told.fetched), "number"),
    cell(decided ? percent(told.used, decided) : "–", "number"),
    cell(told.asked ? percent(told.used, told.asked) : "–", "number"),
    cell(bytes(told.bytes), "number"),
    cell(told.model_age_ms === null ? "–" : span(told.model_age_ms), "number"),
  );
}
