/** The records of ticks by day. No I/O. */
import { OUTCOMES } from './ticks';
import type { Tick } from './ticks';

type Outcome = Tick['outcome'];

/** A record that lies over several days: how many ticks it has in all, and whether each of its days surely has some. */
type Shared = { of: number; surely: boolean };

export type Day = {
  /** As `2030-01-31`, in the time zone of the cron. */
  date: string;
  counts: Partial<Record<Outcome, number>>;
  /** Ticks of records over several days: how many of them were on this day is not known. */
  shared: Partial<Record<Outcome, Shared>>;
};

/** The first of these outcomes that a day has gives it its colour; its text has the same order. */
const COLOUR_ORDER: readonly Outcome[] = ['MISSED', 'COALESCED', 'RAN', 'SKIPPED', 'CANCELED'];

const DAY_MS = 86_400_000;

function dayFormat(zone: string | undefined): Intl.DateTimeFormat {
  const parts = { year: 'numeric', month: '2-digit', day: '2-digit' } as const;
  return new Intl.DateTimeFormat('en-CA', { ...parts, timeZone: zone }); // writes 2030-01-31
}

function newestDays(today: number, length: number): Day[] {
  return Array.from({ length }, (_, index) => {
    const date = new Date(today - (length - 1 - index) * DAY_MS).toISOString().slice(0, 10);
    return { date, counts: {}, shared: {} };
  });
}

function add(day: Day | undefined, outcome: Outcome, count: number): void {
  if (day) day.counts[outcome] = (day.counts[outcome] ?? 0) + count;
}

function share(day: Day | undefined, outcome: Outcome, of: number, surely: boolean): void {
  if (!day) return;
  const other = day.shared[outcome];
  day.shared[outcome] = { of: of + (other?.of ?? 0), surely: surely || (other?.surely ?? false) };
}

function isEmpty({ counts, shared }: Day): boolean {
  return Object.keys(counts).length === 0 && Object.keys(shared).length === 0;
}

/**
 * Return the newest days up to today, the oldest first; days without ticks have no counts. A record over several days
 * has ticks on its first and its last one, and is shared by those between them that have no other record.
 */
export function daysOf(ticks: readonly Tick[], now: number, zone: string | undefined, length: number): Day[] {
  const format = dayFormat(zone);
  const days = newestDays(Date.parse(format.format(now)), length);
  const byDate = new Map(days.map((day) => [day.date, day]));
  const records = ticks.map(({ outcome, tickCount, scheduledTime, lastScheduledTime }) => {
    const [first, last] = [format.format(Date.parse(scheduledTime)), format.format(Date.parse(lastScheduledTime))];
    return { outcome, tickCount, first, last };
  });
  for (const { outcome, tickCount, first, last } of records) {
    if (first === last) add(byDate.get(first), outcome, tickCount);
    else if (tickCount === 2) [first, last].forEach((date) => add(byDate.get(date), outcome, 1));
    else [first, last].forEach((date) => share(byDate.get(date), outcome, tickCount, true));
  }
  const empty = days.filter(isEmpty);
  for (const { outcome, tickCount, first, last } of records) {
    const dayCount = (Date.parse(last) - Date.parse(first)) / DAY_MS + 1;
    const between = tickCount > 2 ? empty.filter(({ date }) => first < date && date < last) : [];
    between.forEach((day) => share(day, outcome, tickCount, tickCount >= dayCount));
  }
  return days;
}

/** Return the class with the colours of a day; null if it has no ticks. */
export function toneOf({ counts, shared }: Day): string | null {
  const first = COLOUR_ORDER.find((outcome) => counts[outcome] ?? shared[outcome]);
  return first ? OUTCOMES[first].tone : null;
}

function textOf({ counts, shared }: Day, outcome: Outcome): string {
  const [count, some] = [counts[outcome], shared[outcome]];
  const texts = [
    count && count.toLocaleString(),
    some && `${some.surely ? '' : 'perhaps '}some of ${some.of.toLocaleString()}`,
  ];
  return texts.filter(Boolean).join(' and ');
}

/** Describe a day: `Jan 31: 1 missed, 23 ran`, or `Jan 31: some of 500 skipped`. */
export function describeDay(day: Day): string {
  const options = { month: 'short', day: 'numeric', timeZone: 'UTC' } as const;
  const date = new Date(day.date).toLocaleDateString(undefined, options);
  const parts = COLOUR_ORDER.filter((outcome) => textOf(day, outcome)).map(
    (outcome) => `${textOf(day, outcome)} ${OUTCOMES[outcome].name.toLowerCase()}`,
  );
  return `${date}: ${parts.join(', ') || 'no ticks'}`;
}
