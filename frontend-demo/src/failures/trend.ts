/** The hours of a trend as bars and in words. No I/O. */

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
  const failures = total === 1 ? '1 failure' : `${total.toLocaleString()} failures`;
  return `${failures} in the last 24 hours, ${(values.at(-1) ?? 0).toLocaleString()} of them since the last full hour`;
}
