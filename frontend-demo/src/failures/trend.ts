/** The hours of a trend as bars and in words. No I/O. */
import { counted } from '../ui/counted';

const MIN_HEIGHT = 1;
const MIN_BAR = 3;

/** Return the height of each bar; empty hours have a thin line, and others are seen beside large ones. */
export function heightsOf(values: readonly number[], height: number): number[] {
  const highest = Math.max(...values, 1);
  return values.map((value) => (value === 0 ? MIN_HEIGHT : Math.max((value / highest) * height, MIN_BAR)));
}

/** Describe a trend: `12 failures in the last 24 hours, 3 of them since the last full hour`. */
export function describeTrend(values: readonly number[]): string {
  const total = values.reduce((sum, value) => sum + value, 0);
  if (total === 0) return 'No failures in the last 24 hours';
  const last = values.at(-1) ?? 0;
  if (total === 1) return `1 failure in the last 24 hours, ${last === 1 ? 'since' : 'before'} the last full hour`;
  return `${counted(total, 'failure')} in the last 24 hours, ${last.toLocaleString()} of them since the last full hour`;
}
