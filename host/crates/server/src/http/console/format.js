// Figures for people.

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const count = (value) => (value < 100000 ? plain : short).format(value);

export const rate = (value) => (value < 10 && value > 0 ? value.toFixed(1) : count(value));

export const percent = (part, whole) => (whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : "–");

export function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (value >= 1024 && at < units.length - 1) {
    value /= 1024;
    at += 1;
  }
  return `${at === 0 || value >= 100 ? plain.format(value) : value.toFixed(1)} ${units[at]}`;
}

export function span(ms) {
  if (ms < 1000) return `${plain.format(ms)} ms`;
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  let seconds = Math.floor(ms / 1000);
  const parts = [];
  for (const [name, size] of units) {
    if (seconds >= size && parts.length < 2) {
      parts.push(`${Math.floor(seconds / size)} ${name}`);
      seconds %= size;
    } else if (parts.length) break;
  }
  return parts.join(" ");
}

export function nanoseconds(value) {
  if (value < 1000) return `${plain.format(value)} ns`;
  if (value < 1e6) return `${(value / 1000).toFixed(1)} µs`;
  return value < 1e9 ? `${(value / 1e6).toFixed(1)} ms` : `${(value / 1e9).toFixed(1)} s`;
}

export const microseconds = (value) => nanoseconds(value * 1000);

export const moment = (ms) => new Date(ms).toLocaleString("en-GB", { dateStyle: "short", timeStyle: "medium" });

// Text as it is; of what is none, that it is none.
export const text = (value) => (typeof value === "object" && value !== null ? `base64 ${value.base64}` : String(value));
