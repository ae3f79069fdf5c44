/** The records of ticks by day. No I/O. */
import { OUTCOMES } from './ticks';
import type { Tick } from './ticks';

export type Day = {
  /** As `2030-01-31`, in the time zone of the cron. */
  date: string;
  counts: Partial<Record<Tick['outcome'], number>>;
};

/** The first of these outcomes that a day has gives it its colour. */
const WORST_FIRST: readonly Tick['outcome'][] = ['MISSED', 'COALESCED', 'RAN', 'SKIPPED', 'CANCELED'];

const DAY_MS = 86_400_000;

function dayFormat(zone: string | undefined): Intl.DateTimeFormat {
  const parts = { year: 'numeric', month: '2-digit', day: '2-digit' } as const;
  return new Intl.DateTimeFormat('en-CA', { ...parts, timeZone: zone }); // writes 2030-01-31
}

/** Return the newest days up to today, the oldest first; days without ticks have no counts. */
export function daysOf(ticks: readonly Tick[], now: number, zone: string | undefined, length: number): Day[] {
  const format = dayFormat(zone);
  const today = Date.parse(format.format(now));
  const days = Array.from({ length }, (_, index): Day => {
    const date = new Date(today - (length - 1 - index) * DAY_MS).toISOString().slice(0, 10);
    return { date, counts: {} };
  });
  const byDate = new Map(days.map((day) => [day.date, day]));
  for (const { scheduledTime, outcome, tickCount } of ticks) {
    const counts = byDate.get(format.format(Date.parse(scheduledTime)))?.counts;
    if (counts) counts[outcome] = (counts[outcome] ?? 0) + tickCount;
  }
  return days;
}

/** Return the class with the colours of a day; null if it has no ticks. */
export function toneOf({ counts }: Day): string | null {
  const worst = WORST_FIRST.find((outcome) => counts[outcome]);
  return worst ? OUTCOMES[worst].tone : null;
}

/** Describe a day: `Jan 31: 23 ran, 1 missed`. */
export function describeDay({ date, counts }: Day): string {
  const day = new Date(date).toLocaleDateString(undefined, { month: 'short', day: 'numeric', timeZone: 'UTC' });
  const parts = (['RAN', 'MISSED', 'COALESCED', 'SKIPPED', 'CANCELED'] as const)
    .filter((outcome) => counts[outcome])
    .map((outcome) => `${counts[outcome]?.toLocaleString()} ${OUTCOMES[outcome].name.toLowerCase()}`);
  return `${day}: ${parts.join(', ') || 'no ticks'}`;
}
