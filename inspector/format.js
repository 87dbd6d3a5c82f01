// How figures and texts are written.

// What would be invisible, or turn the direction of what stands around it.
const INVISIBLE = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;
const LINE_CHARACTERS = 60;
const UNITS = ["B", "KB", "MB", "GB", "TB"];
const SPANS = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"], [1_000, "s"]];

/** A text of strangers, with what cannot be seen written out. */
export function visible(text) {
  return String(text).replace(INVISIBLE, (character) =>
    `\\u${character.codePointAt(0).toString(16).padStart(4, "0")}`);
}

/** 1,234 */
export const count = (number) => Math.round(number).toLocaleString("en");

/** "3 keys" */
export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** 1.5 KB, of 1,000 bytes each. */
export function bytes(number) {
  let unit = 0;
  let value = number;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

/** 0.25 ms, 12 ms, 1.5 s */
export function duration(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(ms < 9_950 ? 1 : 0)} s`;
  return `${ms < 9.95 ? Number(ms.toFixed(2)) : Math.round(ms)} ms`;
}

/** "in 2 h 5 min", "3 min ago", "now" */
export function distance(atMs, nowMs = Date.now()) {
  const difference = atMs - nowMs;
  const size = Math.abs(difference);
  const at = SPANS.findIndex(([ms]) => size >= ms);
  if (at < 0) return "now";
  const [ms, unit] = SPANS[at];
  const rest = at < 2 ? Math.floor((size % ms) / SPANS[at + 1][0]) : 0;
  const text = `${Math.floor(size / ms)} ${unit}${rest ? ` ${rest} ${SPANS[at + 1][1]}` : ""}`;
  return difference > 0 ? `in ${text}` : `${text} ago`;
}

/** 2026-11-27 14:05:09 */
export function moment(atMs) {
  const at = new Date(atMs);
  const pad = (number) => String(number).padStart(2, "0");
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${clock(atMs).slice(0, 8)}`;
}

/** 14:05:09.123 */
export function clock(atMs) {
  const at = new Date(atMs);
  const pad = (number, width = 2) => String(number).padStart(width, "0");
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}.` +
    pad(at.getMilliseconds(), 3);
}

/** JSON, in lines where one is not enough; keys as they came. */
export function json(value) {
  const line = JSON.stringify(value);
  return line.length <= LINE_CHARACTERS ? line : JSON.stringify(value, null, 2);
}
