import { expect, test } from 'vitest';
import { findPlaces, placesOf } from './places';
import type { PageEntry } from '../app/pages';

const PLACES = placesOf({
  pages: [{ path: 'jobs', title: 'Jobs' } as PageEntry],
  crons: [{ id: 'Q3Jvbjox', name: 'nightly report' }],
  functions: [{ name: 'reports.send' }],
});

function found(text: string): string[] {
  return findPlaces(PLACES, text).flatMap(({ items }) => items.map(({ to }) => to));
}

test('places are found by a part of their name, in any case', () => {
  expect(found('REPORT')).toEqual(['/crons/Q3Jvbjox', '/jobs?function=reports.send']);
  expect(found('nothing like it')).toEqual([]);
});

test('everything is offered before the first letter', () => {
  expect(found('')).toEqual(['/jobs', '/crons/Q3Jvbjox', '/jobs?function=reports.send']);
});

test('an id opens its job', () => {
  const id = btoa('Job:01a22e89655ad5b4ab8fc74b');
  expect(found(` ${id} `)).toEqual([`/jobs/${id}`]);
});
