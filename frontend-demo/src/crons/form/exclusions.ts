/** The days on which a cron does not run, as they are entered: weekdays, days and ranges, and a calendar. No I/O. */
import { Problem } from '../../form/read';
import type { CronDetailsFragment, ExclusionsInput, Weekday } from '../../generated';

export type EnteredExclusions = {
  weekdays: readonly Weekday[];
  dates: readonly string[];
  ranges: readonly { first: string; last: string }[];
  calendar: string | null;
};

export const NO_EXCLUSIONS: EnteredExclusions = { weekdays: [], dates: [], ranges: [], calendar: null };

export const WEEKDAYS: readonly { day: Weekday; label: string }[] = [
  { day: 'MONDAY', label: 'Mon' },
  { day: 'TUESDAY', label: 'Tue' },
  { day: 'WEDNESDAY', label: 'Wed' },
  { day: 'THURSDAY', label: 'Thu' },
  { day: 'FRIDAY', label: 'Fri' },
  { day: 'SATURDAY', label: 'Sat' },
  { day: 'SUNDAY', label: 'Sun' },
];

const DAY = /^\d{4}-\d\d-\d\d$/;
const RANGE = /^(\d{4}-\d\d-\d\d)\s*(?:to|–|\.\.)\s*(\d{4}-\d\d-\d\d)$/;

/** Read days and ranges, separated by commas or line breaks: `2030-12-24, 2030-12-27 to 2031-01-01`. */
export function parseDays(text: string): Pick<EnteredExclusions, 'dates' | 'ranges'> | { invalid: string } {
  const parts = text.split(/[,;\n]/).map((part) => part.trim()).filter(Boolean);
  const ranges = parts.flatMap((part) => {
    const [, first, last] = RANGE.exec(part) ?? [];
    return first && last ? [{ first, last }] : [];
  });
  const dates = parts.filter((part) => DAY.test(part));
  const invalid = parts.find((part) => !DAY.test(part) && !RANGE.test(part));
  return invalid === undefined ? { dates, ranges } : { invalid };
}

export function formatDays({ dates, ranges }: Pick<EnteredExclusions, 'dates' | 'ranges'>): string {
  return [...dates, ...ranges.map(({ first, last }) => `${first} to ${last}`)].join(', ');
}

/** Return what is entered, or a problem with the part that is no day. */
export function readExclusions(values: FormData): EnteredExclusions | Problem {
  const days = parseDays(String(values.get('exclusions') ?? ''));
  if ('invalid' in days) return new Problem(`'${days.invalid}' is no day: enter 2030-12-24, or 2030-12-24 to 2031-01-01.`);
  const weekdays = WEEKDAYS.map(({ day }) => day).filter((day) => values.getAll('weekday').includes(day));
  return { weekdays, ...days, calendar: String(values.get('calendar') ?? '') || null };
}

/** Return the input of the server: null removes all. */
export function exclusionsInput(entered: EnteredExclusions): ExclusionsInput | null {
  const { weekdays, dates, ranges, calendar } = entered;
  if (weekdays.length + dates.length + ranges.length === 0 && calendar === null) return null;
  return { weekdays: [...weekdays], dates: [...dates], ranges: [...ranges], ...(calendar !== null && { calendar }) };
}

export function exclusionsOf({ exclusions }: CronDetailsFragment): EnteredExclusions {
  const { weekdays, dates, ranges, calendar } = exclusions;
  return {
    weekdays: WEEKDAYS.map(({ day }) => day).filter((day) => weekdays.includes(day)),
    dates,
    ranges: ranges.map(({ first, last }) => ({ first, last })),
    calendar,
  };
}

/** Describe them in a line; null if there are none. */
export function describeExclusions({ weekdays, dates, ranges, calendar }: EnteredExclusions): string | null {
  const days = WEEKDAYS.filter(({ day }) => weekdays.includes(day)).map(({ label }) => label);
  const parts = [days.join(', '), formatDays({ dates, ranges }), calendar ? `calendar ${calendar}` : ''];
  return parts.filter(Boolean).join('; ') || null;
}
