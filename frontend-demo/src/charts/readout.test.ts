import { expect, test } from 'vitest';
import { readAloud, readoutOf } from './readout';

const START = Date.parse('2030-01-31T12:30:00') / 1_000;

function charted(step: number) {
  return {
    times: [START, START + step],
    series: [
      { name: 'retried', values: [2, 0] },
      { name: 'failed', values: [null, 1] },
    ],
    format: (value: number) => `${value} jobs`,
  };
}

function plain(text: string): string {
  return text.replace(/\s/g, ' ');
}

test('a point has its period and the value of each series', () => {
  expect(plain(readAloud(readoutOf(charted(60), 1)!))).toMatch(/12:31.*12:32.*: retried 0 jobs, failed 1 jobs$/);
});

test('where there is no value, it says so', () => {
  expect(readAloud(readoutOf(charted(60), 0)!)).toMatch(/retried 2 jobs, failed none$/);
});

test('periods of seconds have seconds', () => {
  expect(plain(readoutOf(charted(10), 0)!.period)).toMatch(/12:30:00.*12:30:10/);
});

test('without a point, there is nothing to read', () => {
  expect(readoutOf(charted(60), null)).toBeNull();
  expect(readoutOf(charted(60), 7)).toBeNull();
});
