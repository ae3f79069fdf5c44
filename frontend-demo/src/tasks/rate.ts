/** How often a recurring task runs, as people say it. No I/O. */

const PERIODS = [
  { name: 'a minute', ms: 60_000 },
  { name: 'an hour', ms: 3_600_000 },
  { name: 'a day', ms: 86_400_000 },
] as const;

/** Return the runs in the shortest period that has several: `20 a minute`; null if even a day has only one. */
export function rateOf(intervalMs: number): string | null {
  const period = PERIODS.find(({ ms }) => ms >= 2 * intervalMs);
  if (!period) return null;
  const runs = period.ms / intervalMs;
  const isExact = Number.isInteger(runs);
  return `${isExact ? '' : 'about '}${(isExact ? runs : Math.round(runs)).toLocaleString()} ${period.name}`;
}
