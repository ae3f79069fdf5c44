/** The height of a row of the list of jobs, as in jobs.css: rows that are not in sight have one, too. */
import { useSyncExternalStore } from 'react';

const NARROW = matchMedia('(max-width: 40rem)');
const ROW_REM = 4.1;
const NARROW_ROW_REM = 7.1;

function compute(): number {
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  return Math.round(rem * (NARROW.matches ? NARROW_ROW_REM : ROW_REM));
}

function subscribe(listener: () => void): () => void {
  NARROW.addEventListener('change', listener);
  return () => NARROW.removeEventListener('change', listener);
}

let known = compute();
NARROW.addEventListener('change', () => (known = compute()));

export function useRowHeight(): number {
  return useSyncExternalStore(subscribe, () => known);
}
