import { expect, test } from 'vitest';
import { mergeLines } from './mergeLines';
import type { LogLine } from './mergeLines';

function line(attempt: number, seq: number): LogLine {
  return { attempt, seq, at: '2026-03-01T12:00:00Z', level: 'INFO', message: `${attempt}/${seq}`, fields: {} };
}

function shown(known: LogLine[], added: LogLine[]): string[] {
  return mergeLines(known, added).map(({ message }) => message);
}

test('new lines follow the known ones', () => {
  expect(shown([line(1, 1)], [line(1, 2), line(2, 1)])).toEqual(['1/1', '1/2', '2/1']);
});

test('lines that are sent again appear once', () => {
  expect(shown([line(1, 1), line(1, 2)], [line(1, 1), line(1, 2), line(1, 3)])).toEqual(['1/1', '1/2', '1/3']);
});

test('only the newest 1,000 lines are shown', () => {
  const lines = Array.from({ length: 1_005 }, (_, index) => line(1, index + 1));
  expect(mergeLines([], lines)[0]?.seq).toBe(6);
});
