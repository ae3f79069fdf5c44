import { expect, test } from 'vitest';
import { mergePoints } from './useActivity';
import type { Point } from './useActivity';

function point(second: number, succeeded: number): Point {
  const start = new Date(second * 1_000).toISOString();
  const none = { p50Ms: null, p95Ms: null };
  return { start, succeeded, failed: 0, retried: 0, runTime: none, lateness: none };
}

function shown(points: Point[]): [number, number][] {
  return points.map(({ start, succeeded }) => [Date.parse(start) / 1_000, succeeded]);
}

test('the newest points replace those with the same start, and later ones move the window', () => {
  const known = [point(0, 1), point(15, 2), point(30, 3)];
  expect(shown(mergePoints(known, [point(30, 4), point(45, 1)]))).toEqual([
    [15, 2],
    [30, 4],
    [45, 1],
  ]);
});

test('the first message is the whole series', () => {
  expect(shown(mergePoints([], [point(0, 1), point(15, 2)]))).toEqual([
    [0, 1],
    [15, 2],
  ]);
});

test('a whole series after a reconnect replaces everything', () => {
  const series = [point(15, 2), point(30, 3)];
  expect(shown(mergePoints([point(0, 1), point(15, 1)], series))).toEqual(shown(series));
});
