import { expect, test } from 'vitest';
import { changesOf } from './diff';

const CRONSPEC = { cronspec: '@daily', tz: 'UTC', onGap: 'NEXT', onFold: 'FIRST' } as const;

function run(day: number) {
  return { tick: `2030-01-${String(day).padStart(2, '0')}T00:00:00.000Z` };
}

function preview(part: object) {
  const none = { added: [], removed: [], moved: [], addedCount: 0, removedCount: 0, movedCount: 0, unchangedCount: 0 };
  return { until: '2030-02-01T00:00:00.000Z', truncated: false, ...none, ...part };
}

const MOVED = preview({ moved: [{ before: run(1), after: run(2) }], movedCount: 1, unchangedCount: 3 });

test('ticks of a cronspec that get another time are moved', () => {
  const { summary, shown } = changesOf(MOVED, [CRONSPEC, CRONSPEC]);
  expect(summary).toMatch(/: 0 added, 0 removed, 1 moved, 3 unchanged$/);
  expect(shown).toMatchObject([{ kind: 'moved', at: run(1).tick }]);
});

test('between an interval and a cronspec, no tick is another one that has moved', () => {
  const { summary, shown } = changesOf(MOVED, [{ intervalMs: 4_000 }, CRONSPEC]);
  expect(summary).toMatch(/: 1 added, 1 removed, 3 unchanged$/);
  expect(shown.map(({ kind }) => kind)).toEqual(['removed', 'added']);
});

test('of another interval, one line says how many ticks there are', () => {
  const faster = preview({ addedCount: 900, removedCount: 400, movedCount: 100, unchangedCount: 0, truncated: true });
  const { summary, shown, isMore } = changesOf(faster, [{ intervalMs: 4_000 }, { intervalMs: 2_000 }]);
  expect(summary).toMatch(new RegExp(`: ${(1_000).toLocaleString()} ticks instead of 500 ticks, none of them at the same time$`));
  expect([shown, isMore]).toEqual([[], false]);
});

test('five changes are shown', () => {
  const added = [1, 2, 3, 4, 5, 6].map(run);
  expect(changesOf(preview({ added, addedCount: 6 }), [CRONSPEC, CRONSPEC])).toMatchObject({ isMore: true, shown: { length: 5 } });
});
