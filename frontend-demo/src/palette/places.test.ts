import { expect, test } from 'vitest';
import { GRAPHIQL, findPlaces, placesOf } from './places';
import type { PageEntry } from '../app/pages';

const PLACES = placesOf({
  pages: [{ path: 'jobs', title: 'Jobs' } as PageEntry],
  crons: [{ id: 'Q3Jvbjox', name: 'nightly report' }],
  functions: [{ name: 'reports.send' }],
  commands: [{ label: 'Switch theme: dark', kind: 'Command', run: () => {} }],
});

function found(text: string): string[] {
  return findPlaces(PLACES, text).flatMap(({ items }) => items.map(({ to, label }) => to ?? label));
}

test('places are found by a part of their name, in any case', () => {
  expect(found('REPORT')).toEqual(['/crons/Q3Jvbjox', '/jobs?function=reports.send']);
  expect(found('nothing like it')).toEqual([]);
});

test('everything is offered before the first letter', () => {
  expect(found('')).toEqual(['/jobs', GRAPHIQL, 'Switch theme: dark', '/crons/Q3Jvbjox', '/jobs?function=reports.send']);
});

test('all words must be in the name, in any order', () => {
  expect(found('dark theme')).toEqual(['Switch theme: dark']);
  expect(found('dark report')).toEqual([]);
});

test('an id opens its job', () => {
  const id = btoa('Job:01a22e89655ad5b4ab8fc74b');
  expect(found(` ${id} `)).toEqual([`/jobs/${id}`]);
});

test('all pages are offered, and at most eight crons', () => {
  const titles = Array.from({ length: 12 }, (_, index) => `page ${index}`);
  const places = placesOf({
    pages: titles.map((title) => ({ path: title, title }) as PageEntry),
    crons: titles.map((name) => ({ id: name, name })),
    functions: [],
    commands: [],
  });
  expect(findPlaces(places, '').map(({ items }) => items.length)).toEqual([13, 8]);
});
