/** The values of a chart at one point, in words. No I/O. */
import type { Series } from './options';

export type Charted = {
  times: readonly number[];
  series: readonly Pick<Series, 'name' | 'values'>[];
  format: (value: number) => string;
};

export type Readout = { period: string; values: { name: string; text: string }[] };

const MINUTE_S = 60;

/** Return the period that begins at a point and the values of each series; null without such a point. */
export function readoutOf({ times, series, format }: Charted, index: number | null): Readout | null {
  const start = index === null ? undefined : times[index];
  if (index === null || start === undefined) return null;
  const step = (times[1] ?? start) - (times[0] ?? start);
  const time = new Intl.DateTimeFormat(undefined, { timeStyle: step < MINUTE_S ? 'medium' : 'short', hourCycle: 'h23' });
  const values = series.map(({ name, values: known }) => {
    const value = known[index] ?? null;
    return { name, text: value === null ? 'none' : format(value) };
  });
  return { period: time.formatRange(start * 1_000, (start + step) * 1_000), values };
}

/** Write a readout as one sentence: `12:30 – 12:31: retried 0, failed 1`. */
export function readAloud({ period, values }: Readout): string {
  return `${period}: ${values.map(({ name, text }) => `${name} ${text}`).join(', ')}`;
}
