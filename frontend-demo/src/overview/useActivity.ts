/** The activity of a range, live. */
import { useMemo } from 'react';
import { useSubscription } from 'urql';
import type { CombinedError } from '@urql/core';
import { ActivityChangedDocument } from '../generated';
import type { ActivityChangedSubscription, ActivityRange } from '../generated';

export type Activity = NonNullable<ActivityChangedSubscription['activityChanged']>;
export type Point = Activity['points'][number];

/**
 * Replace the points that a message contains, add its later ones, and drop as many of the oldest as were
 * added: the first message has the whole series, later ones have its newest points.
 */
export function mergePoints(known: readonly Point[], message: readonly Point[]): Point[] {
  const first = message[0];
  if (!first) return [...known];
  const kept = known.filter(({ start }) => start < first.start);
  const length = Math.max(known.length, message.length);
  return [...kept, ...message].slice(-length);
}

type Live = { activity: Activity | undefined; error: CombinedError | undefined };

export function useActivity(range: ActivityRange): Live {
  const variables = useMemo(() => ({ range }), [range]);
  const [{ data, error }] = useSubscription<
    ActivityChangedSubscription,
    { range: ActivityRange; activity: Activity },
    { range: ActivityRange }
  >({ query: ActivityChangedDocument, variables }, (before, { activityChanged }) => {
    const same = before?.range === range && before.activity.bucketMs === activityChanged?.bucketMs;
    const known = same ? before.activity.points : [];
    const activity = activityChanged ?? { at: '', bucketMs: 0, countedFrom: null, points: [] };
    return { range, activity: { ...activity, points: mergePoints(known, activity.points) } };
  });
  return { activity: data?.range === range ? data.activity : undefined, error };
}
