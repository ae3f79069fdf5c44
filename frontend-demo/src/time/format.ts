/** Short texts for instants and durations: `in 5 s`, `3 min ago`, `2 h`. */

const UNITS = [
  { name: 'd', ms: 86_400_000 },
  { name: 'h', ms: 3_600_000 },
  { name: 'min', ms: 60_000 },
  { name: 's', ms: 1_000 },
] as const;

/** In the largest unit that fits, rounded down. */
function coarse(ms: number): string {
  const unit = UNITS.find((candidate) => ms >= candidate.ms);
  return unit ? `${Math.floor(ms / unit.ms)} ${unit.name}` : '0 s';
}

/** For a past instant; one in the future of this clock is `just now`. */
export function formatSince(at: number, now: number): string {
  return now - at < 1_000 ? 'just now' : `${coarse(now - at)} ago`;
}

/** For a due time; an overdue one is `… ago`. */
export function formatUntil(at: number, now: number): string {
  if (Math.abs(at - now) < 1_000) return 'now';
  return at > now ? `in ${coarse(at - now)}` : formatSince(at, now);
}

/** Exact: 1500 is `1.5 s`, 5400000 is `1.5 h`, 61000 is `61 s`. */
export function formatDuration(ms: number): string {
  const unit = UNITS.find((candidate) => ms >= candidate.ms && Number.isInteger((ms / candidate.ms) * 10));
  return unit ? `${ms / unit.ms} ${unit.name}` : `${ms} ms`;
}

/** The date and the time in the browser's time zone. */
export function formatExact(at: number): string {
  return new Date(at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}

/** With two digits: 1234 is `1.2 s`, 0.5 is `0.5 ms`. */
export function formatRounded(ms: number): string {
  const unit = UNITS.find((candidate) => ms >= candidate.ms) ?? { name: 'ms', ms: 1 };
  return `${Number((ms / unit.ms).toPrecision(2)).toLocaleString()} ${unit.name}`;
}
