/** The selected jobs of a list, while they can be selected. */
import { useCallback, useEffect, useRef, useState } from 'react';
import type { Job } from '../jobsFeed';
import { NONE, toggle } from './selection';
import type { Selection } from './selection';

export type Selecting = {
  /** Null while no jobs can be selected. */
  selection: Selection | null;
  start: () => void;
  end: () => void;
  onToggle: (id: string, isRange: boolean) => void;
};

/** @param key changes with the list; a new one has no selection. */
export function useSelection(key: string, jobs: readonly Job[]): Selecting {
  const [selection, setSelection] = useState<Selection | null>(null);
  const shown = useRef(jobs);
  shown.current = jobs;
  useEffect(() => setSelection((before) => before && NONE), [key]);
  const onToggle = useCallback((id: string, isRange: boolean): void => {
    const order = shown.current.map((job) => job.id);
    setSelection((before) => before && toggle(before, order, id, isRange));
  }, []);
  return { selection, start: () => setSelection(NONE), end: () => setSelection(null), onToggle };
}
