import { expect, test } from 'vitest';
import { counted } from './counted';

test.each([
  [0, '0 jobs'],
  [1, '1 job'],
  [2_000, '2,000 jobs'],
])('%i is written with its noun', (count, text) => {
  expect(counted(count, 'job')).toBe(text);
});

test('an irregular plural is given', () => {
  expect(counted(2, 'entry', 'entries')).toBe('2 entries');
});
