/** What an edit does to the ticks of a cron, in words. No I/O. */
import type { PreviewEditQuery } from '../../generated';
import { formatExact } from '../../time/format';
import { counted } from '../../ui/counted';
import type { EnteredSchedule } from './values';

type Preview = NonNullable<PreviewEditQuery['previewCronChange']>;

type Change = { kind: 'added' | 'removed' | 'moved'; at: string; text: string };

export type Changes = {
  summary: string;
  /** The first ones, by time. */
  shown: Change[];
  isMore: boolean;
};

const SHOWN = 5;

/**
 * The server pairs an added tick with a removed one near it as moved. With an interval, nearly all would be pairs: they count
 * as added and removed.
 */
function withoutMoves(preview: Preview): Preview {
  const { added, removed, moved, addedCount, removedCount, movedCount } = preview;
  return {
    ...preview,
    added: [...added, ...moved.map(({ after }) => after)],
    removed: [...removed, ...moved.map(({ before }) => before)],
    moved: [],
    addedCount: addedCount + movedCount,
    removedCount: removedCount + movedCount,
    movedCount: 0,
  };
}

function moment(at: string): string {
  return formatExact(Date.parse(at));
}

function changesIn({ added, removed, moved }: Preview): Change[] {
  return [
    ...added.map(({ tick: at }) => ({ kind: 'added' as const, at, text: moment(at) })),
    ...removed.map(({ tick: at }) => ({ kind: 'removed' as const, at, text: moment(at) })),
    ...moved.map(({ before, after }) => {
      const text = `${moment(before.tick)} to ${moment(after.tick)}`;
      return { kind: 'moved' as const, at: before.tick, text };
    }),
  ].sort((a, b) => a.at.localeCompare(b.at));
}

function summaryOf({ addedCount, removedCount, movedCount, unchangedCount, until }: Preview): string {
  const parts = [
    `${addedCount.toLocaleString()} added`,
    `${removedCount.toLocaleString()} removed`,
    ...(movedCount > 0 ? [`${movedCount.toLocaleString()} moved`] : []),
    `${unchangedCount.toLocaleString()} unchanged`,
  ];
  return `Ticks until ${moment(until)}: ${parts.join(', ')}`;
}

/** `schedules` are those before and after the edit. If both are intervals, one line says enough: all ticks follow from it. */
export function changesOf(given: Preview, schedules: readonly EnteredSchedule[]): Changes {
  const intervals = schedules.filter((each) => 'intervalMs' in each).length;
  const preview = intervals > 0 ? withoutMoves(given) : given;
  const { addedCount, removedCount, unchangedCount, until, truncated } = preview;
  if (intervals === 2 && removedCount + addedCount > 0) {
    const [after, before] = [addedCount, removedCount].map((count) => counted(count + unchangedCount, 'tick'));
    const kept = unchangedCount === 0 ? 'none of them at the same time' : `${unchangedCount.toLocaleString()} at the same time`;
    return { summary: `Until ${moment(until)}: ${after} instead of ${before}, ${kept}`, shown: [], isMore: false };
  }
  const all = changesIn(preview);
  return { summary: summaryOf(preview), shown: all.slice(0, SHOWN), isMore: all.length > SHOWN || truncated };
}
