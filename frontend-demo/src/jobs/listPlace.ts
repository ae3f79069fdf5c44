/** Where the list of jobs is on the page, and which job is where in it. Each change reads both, so they must cost little. */
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { Job } from './jobsFeed';

/** Return the distance of the list from the top of the page, which only changes with the height of the page. */
export function useOffset(list: { current: HTMLElement | null }): number {
  const [offset, setOffset] = useState(0);
  useLayoutEffect(() => {
    const measure = (): void => {
      if (list.current) setOffset(Math.round(list.current.getBoundingClientRect().top + window.scrollY));
    };
    measure();
    // It is called after the layout, so that measuring does not cause another one.
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, [list]);
  return offset;
}

/** Return a function from an index to the id of its job. While no row is unfolded, all have one height, and ids may be old. */
export function useKeys(jobs: readonly Job[], isUnfolded: boolean): (index: number) => string | number {
  const newest = useRef(jobs);
  newest.current = jobs;
  return useCallback((index: number) => newest.current[index]?.id ?? index, [isUnfolded ? jobs : null]);
}

export function useScrolled(distance: number, onScrolled: (scrolled: boolean) => void): void {
  useEffect(() => {
    const report = (): void => onScrolled(window.scrollY > distance);
    window.addEventListener('scroll', report, { passive: true });
    return () => window.removeEventListener('scroll', report);
  }, [distance, onScrolled]);
}
