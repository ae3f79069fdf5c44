/** The rows of many jobs, of which only those in sight exist. The window scrolls. */
import { useCallback, useEffect, useRef, useState } from 'react';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { JobRow } from './JobRow';
import type { Job } from './jobsFeed';
import { useKeys, useOffset, useScrolled } from './listPlace';
import { useRowHeight } from './rowHeight';
import type { Selecting } from './select/useSelection';

const OVERSCAN = 6;
/** Older jobs are loaded before the reader reaches the end. */
const NEAR_END = 30;

type JobListProps = {
  jobs: readonly Job[];
  selecting: Selecting;
  /** Called when the last rows are near. */
  onNearEnd: () => void;
  /** Called when the list is scrolled away from its top, and back. */
  onScrolled: (scrolled: boolean) => void;
};

/** The jobs whose lines are unfolded. */
function useOpened(): [ReadonlySet<string>, (id: string, open: boolean) => void] {
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const change = useCallback((id: string, open: boolean): void => {
    setOpened((before) => {
      if (before.has(id) === open) return before;
      return new Set(open ? [...before, id] : [...before].filter((other) => other !== id));
    });
  }, []);
  return [opened, change];
}

export function JobList({ jobs, selecting, onNearEnd, onScrolled }: JobListProps) {
  const list = useRef<HTMLUListElement>(null);
  const rowHeight = useRowHeight();
  const offset = useOffset(list);
  const [opened, onOpen] = useOpened();
  const virtualizer = useWindowVirtualizer<HTMLLIElement>({
    count: jobs.length,
    estimateSize: useCallback(() => rowHeight, [rowHeight]),
    getItemKey: useKeys(jobs, opened.size > 0),
    overscan: OVERSCAN,
    scrollMargin: offset,
  });
  useEffect(() => virtualizer.measure(), [virtualizer, rowHeight]);
  useScrolled(rowHeight, onScrolled);
  const items = virtualizer.getVirtualItems();
  const isNearEnd = (items.at(-1)?.index ?? -1) >= jobs.length - NEAR_END;
  useEffect(() => {
    if (isNearEnd) onNearEnd();
  }, [isNearEnd, jobs.length, onNearEnd]);
  return (
    <ul ref={list} className="rows job-list" aria-label="Jobs" style={{ height: virtualizer.getTotalSize() }}>
      {items.map(({ index, start }) => {
        const job = jobs[index];
        if (!job) return null;
        const open = opened.has(job.id);
        return (
          <JobRow
            key={job.id}
            job={job}
            open={open}
            onOpen={onOpen}
            selected={selecting.selection?.ids.has(job.id)}
            onSelect={selecting.onToggle}
            // Only what is unfolded has a height of its own.
            place={{ index, top: start - offset, count: jobs.length, measure: virtualizer.measureElement }}
          />
        );
      })}
    </ul>
  );
}
