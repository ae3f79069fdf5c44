/** Reads durations as people write them: `every 5 minutes`, `90 s`, `1.5 h`, `5000`. */

const UNITS: readonly (readonly [names: RegExp, ms: number])[] = [
  [/^(ms|milliseconds?)$/, 1],
  [/^(s|secs?|seconds?)$/, 1_000],
  [/^(m|mins?|minutes?)$/, 60_000],
  [/^(h|hrs?|hours?)$/, 3_600_000],
  [/^(d|days?)$/, 86_400_000],
  [/^(w|weeks?)$/, 604_800_000],
  [/^(y|years?)$/, 31_536_000_000],
];
const FORM = /^(?:every\s+)?(\d+(?:\.\d+)?)?\s*([a-z]*)$/;

/** Return milliseconds; null if it is not a duration. A number without a unit is in milliseconds. */
export function parseDuration(text: string): number | null {
  const [matched, number, unit = ''] = FORM.exec(text.trim().toLowerCase()) ?? [];
  if (matched === undefined || (number === undefined && unit === '')) return null;
  const ms = unit === '' ? 1 : UNITS.find(([names]) => names.test(unit))?.[1];
  return ms === undefined ? null : Math.round(Number(number ?? 1) * ms);
}
