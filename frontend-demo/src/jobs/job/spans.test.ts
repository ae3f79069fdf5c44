import { expect, test } from 'vitest';
import { placesOf, spansOf } from './spans';
import type { JobDetails } from './spans';

const START = Date.parse('2026-03-01T12:00:00Z');

type Event = JobDetails['timeline'][number];

function event(second: number, state: Event['state'], more: Partial<Event> = {}): Event {
  const at = new Date(START + second * 1_000).toISOString();
  return { seq: 0, at, from: null, state, attempt: 0, workerId: null, nextRunAt: null, by: null, error: null, ...more };
}

function shown(timeline: Event[]): unknown[] {
  return spansOf({ timeline }).map(({ kind, start, end, outcome }) => [
    kind,
    (start - START) / 1_000,
    end === null ? null : (end - START) / 1_000,
    outcome,
  ]);
}

function due(second: number): Partial<Event> {
  return { nextRunAt: new Date(START + second * 1_000).toISOString() };
}

test('a job that runs at its due time is scheduled, then runs', () => {
  const timeline = [event(0, 'PENDING', due(60)), event(60, 'IN_PROGRESS'), event(62, 'SUCCESS')];
  expect(shown(timeline)).toEqual([
    ['scheduled', 0, 60, null],
    ['attempt', 60, 62, 'SUCCESS'],
  ]);
});

test('a job waits from its due time until a worker starts it', () => {
  const timeline = [event(0, 'PENDING', due(10)), event(15, 'IN_PROGRESS')];
  expect(shown(timeline)).toEqual([
    ['scheduled', 0, 10, null],
    ['waiting', 10, 15, null],
    ['attempt', 15, null, null],
  ]);
});

test('the delay before a retry is a period of its own', () => {
  const timeline = [
    event(0, 'PENDING', due(0)),
    event(0, 'IN_PROGRESS'),
    event(1, 'PENDING', { from: 'IN_PROGRESS', ...due(3) }),
    event(4, 'IN_PROGRESS'),
    event(5, 'SUCCESS'),
  ];
  expect(shown(timeline)).toEqual([
    ['attempt', 0, 1, 'PENDING'],
    ['backoff', 1, 3, null],
    ['waiting', 3, 4, null],
    ['attempt', 4, 5, 'SUCCESS'],
  ]);
});

test('a job that is canceled before it is due has only been scheduled', () => {
  const timeline = [event(0, 'PENDING', due(60)), event(5, 'CANCELED')];
  expect(shown(timeline)).toEqual([['scheduled', 0, 5, null]]);
});

test('between its end and a manual retry, a job had ended', () => {
  const timeline = [
    event(0, 'IN_PROGRESS'),
    event(1, 'FAILED', { from: 'IN_PROGRESS' }),
    event(600, 'PENDING', { from: 'FAILED', ...due(600) }),
    event(601, 'IN_PROGRESS'),
    event(602, 'SUCCESS'),
  ];
  expect(shown(timeline)).toEqual([
    ['attempt', 0, 1, 'FAILED'],
    ['ended', 1, 600, 'FAILED'],
    ['waiting', 600, 601, null],
    ['attempt', 601, 602, 'SUCCESS'],
  ]);
});

test('a job that is rescheduled is scheduled again, and does not back off', () => {
  const timeline = [event(0, 'PENDING', due(60)), event(5, 'PENDING', { from: 'PENDING', ...due(90) })];
  expect(shown(timeline)).toEqual([
    ['scheduled', 0, 5, null],
    ['scheduled', 5, 90, null],
    ['waiting', 90, null, null],
  ]);
});

test('bars are to scale, one after the other', () => {
  expect(placesOf([1, 3])).toEqual([
    { left: 0, width: 0.25 },
    { left: 0.25, width: 0.75 },
  ]);
});

test('a short attempt between long waits can be seen, and nothing is beyond the end', () => {
  const places = placesOf([300_000, 5, 300_000, 5]);
  expect(Math.min(...places.map(({ width }) => width))).toBeGreaterThan(0.03);
  expect(places.at(-1)!.left + places.at(-1)!.width).toBeCloseTo(1);
});

test('a hundred attempts fit', () => {
  const places = placesOf(Array.from({ length: 200 }, (_, index) => (index % 2 ? 1 : 10_000)));
  expect(places.at(-1)!.left + places.at(-1)!.width).toBeCloseTo(1);
  expect(places[0]!.width).toBeGreaterThan(places[1]!.width);
});
