/** The jobs as the page shows them: paused, or without those that arrive above while it is scrolled down. */
import { useCallback, useEffect, useMemo, useState } from 'react';
import type { Job, JobsFeed } from './jobsFeed';
import { countBefore, withOlder } from './shown';

type Hold = {
  /** The list to which it belongs. */
  key: string;
  paused: { jobs: readonly Job[]; changes: number } | null;
  /** The first job on the page; newer ones wait. */
  top: Job | null;
};

export type HeldJobs = {
  jobs: readonly Job[];
  paused: boolean;
  /** How many changes wait while it is paused. */
  waiting: number;
  /** How many newer jobs wait while it is scrolled down. */
  newer: number;
  pause: () => void;
  resume: () => void;
  /** Keep newer jobs from moving the others. */
  hold: (scrolled: boolean) => void;
};

export function useHeldJobs({ key, view, older }: JobsFeed): HeldJobs {
  const [stored, setHold] = useState<Hold>({ key, paused: null, top: null });
  const { paused, top } = stored.key === key ? stored : { paused: null, top: null };
  const { rows, changes } = view;
  useEffect(() => {
    if (!paused || older === 'loading') return;
    const jobs = withOlder(paused.jobs, rows);
    if (jobs !== paused.jobs) setHold({ key, top, paused: { ...paused, jobs } });
  }, [older]);
  const newer = top ? countBefore(rows, top) : 0;
  const jobs = useMemo(() => paused?.jobs ?? (newer > 0 ? rows.slice(newer) : rows), [paused, newer, rows]);
  const [first] = rows;
  const hold = useCallback(
    (scrolled: boolean) => {
      if (scrolled !== (top !== null)) setHold({ key, paused, top: scrolled ? (first ?? null) : null });
    },
    [key, paused, top, first],
  );
  return {
    jobs,
    paused: paused !== null,
    waiting: paused ? changes - paused.changes : 0,
    newer: paused ? 0 : newer,
    pause: () => setHold({ key, top, paused: { jobs, changes } }),
    resume: () => setHold({ key, top, paused: null }),
    hold,
  };
}
