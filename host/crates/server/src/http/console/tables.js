// The tenants.

import { byId, cell, fill, make } from "./dom.js";
import { bytes, count, percent } from "./format.js";

export function tenants(list) {
  const row = (tenant) => {
    const label = `${bytes(tenant.used_bytes)} of ${bytes(tenant.memory_bytes)}`;
    const meter = make("meter", { min: 0, max: tenant.memory_bytes, value: tenant.used_bytes, "aria-label": `Memory of ${tenant.name}` });
    return make(
      "tr",
      {},
      make("th", { scope: "row", text: tenant.name }),
      cell(tenant.unfit_shards ? `${tenant.eviction} (the fallback stands in on ${tenant.unfit_shards} of ${tenant.shards} shards)` : tenant.eviction),
      make("td", {}, meter, label),
      cell(count(tenant.entries), "number"),
      cell(percent(tenant.hits, tenant.hits + tenant.misses), "number"),
      cell(count(tenant.evictions), "number"),
      cell(count(tenant.expired), "number"),
      cell(count(tenant.refused), "number"),
    );
  };
  fill(byId("tenant-rows"), list.map(row), 8, "There are no tenants to be seen.");
}
