import { expect, test } from 'vitest';
import { countIn, describeBackfill, issueOf, latestPeriod } from './backfill';

const END = Date.parse('2030-01-31T04:00:00.000Z');
const PERIOD = { from: '2030-01-31T00:00:00.000Z', to: '2030-01-31T04:00:00.000Z' };

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** The first 1,000 ticks of a schedule, which ticks each `stepMs`. */
function every(stepMs: number) {
  const reads: string[] = [];
  const readTicks = async (from: string) => {
    reads.push(from);
    const first = Math.ceil(Date.parse(from) / stepMs) * stepMs;
    return Array.from({ length: 1_000 }, (_, index) => ({ dueAt: iso(first + index * stepMs), willRun: true }));
  };
  return { reads, readTicks };
}

const CRONSPEC = { schedule: { __typename: 'CronSchedule' } } as Parameters<typeof latestPeriod>[0];

function interval(ms: number) {
  return { schedule: { __typename: 'IntervalSchedule', ms } } as Parameters<typeof latestPeriod>[0];
}

test('ticks of the period that run are counted, without those at its end', () => {
  const at = (hour: number, willRun = true) => ({ dueAt: `2030-01-31T0${hour}:00:00.000Z`, willRun });
  expect(countIn([at(1), at(2, false), at(3), at(4), at(5)], PERIOD)).toBe(2);
});

test('a period with more than 500 ticks has an issue at its end', async () => {
  const { readTicks } = every(20_000);
  const issueSince = async (count: number) => issueOf(await readTicks(iso(END - count * 20_000)), PERIOD);
  expect(await issueSince(500)).toBeNull();
  expect((await issueSince(501))?.fields.get('to')?.[0]).toMatch(/more than 500 ticks: end it at .*, and continue/);
});

test.each([
  [3_600_000, 86_400_000, 1],
  [172_800, 86_400_000, 1], // 500 ticks a day
  [60_000, 500 * 60_000, 2],
  [1_000, 500_000, 2],
])('a cronspec that ticks each %i ms begins %i ms before its end, and is read %i times', async (stepMs, length, count) => {
  const { reads, readTicks } = every(stepMs);
  expect(await latestPeriod(CRONSPEC, END, readTicks)).toEqual({ from: iso(END - length), to: iso(END) });
  expect(reads).toHaveLength(count);
});

test.each([
  [1_000, 500_000],
  [1_501, 750_000],
  [3_600_000, 86_400_000],
])('an interval of %i ms needs no reading, and begins %i ms before its end', async (ms, length) => {
  const readTicks = () => Promise.reject(new Error('not needed'));
  expect(await latestPeriod(interval(ms), END, readTicks)).toEqual({ from: iso(END - length), to: iso(END) });
});

test.each([
  ['ALLOW', 24, 0, { title: 'Started 24 runs' }],
  ['SKIP', 0, 1, { title: 'Started 0 runs', description: '1 tick had run already, or waits to run.' }],
  ['QUEUE', 1, 0, { title: 'Started 1 run' }],
  ['QUEUE', 24, 2, { title: '24 ticks will run one after another', description: '2 ticks had run already, or wait to run.' }],
] as const)('with the overlap %s, a backfill of %i ticks, without %i others, is described', (overlap, started, alreadyRan, text) => {
  expect(describeBackfill({ started, alreadyRan }, { overlap })).toEqual(text);
});
