/** Instants and durations in short words: `in 5 s`, `3 min ago`, `every 2 h`. */

const UNITS = [
  { name: 'd', ms: 86_400_000 },
  { name: 'h', ms: 3_600_000 },
  { name: 'min', ms: 60_000 },
  { name: 's', ms: 1_000 },
] as const;

/** The largest unit that fits, rounded down, so that a time never reads as longer than it is. */
function coarse(ms: number): string {
  const unit = UNITS.find((candidate) => ms >= candidate.ms);
  return unit ? `${Math.floor(ms / unit.ms)} ${unit.name}` : '0 s';
}

/** Of what has happened; what our clock puts into the future happened just now. */
export function since(at: number, now: number): string {
  return now - at < 1_000 ? 'just now' : `${coarse(now - at)} ago`;
}

/** Of what is due; what is late says for how long. */
export function until(at: number, now: number): string {
  if (Math.abs(at - now) < 1_000) return 'now';
  return at > now ? `in ${coarse(at - now)}` : since(at, now);
}

/** Exact where it can be: 1500 is `1.5 s`, 5400000 is `1.5 h`, 61000 is `61 s`. */
export function duration(ms: number): string {
  const unit = UNITS.find((candidate) => ms >= candidate.ms && Number.isInteger((ms / candidate.ms) * 10));
  return unit ? `${ms / unit.ms} ${unit.name}` : `${ms} ms`;
}
