/** Goes to a page, a cron, the jobs of a function or a job by id, and runs commands. */
import { useRef } from 'react';
import { useLocation, useNavigate } from 'react-router';
import { Dialog } from '@base-ui/react/dialog';
import { GRAPHIQL } from './places';
import type { Place } from './places';
import { PlaceSearch } from './PlaceSearch';
import styles from './Palette.module.css';

type PaletteProps = { open: boolean; onOpenChange: (open: boolean) => void };

export default function Palette({ open, onOpenChange }: PaletteProps) {
  const navigate = useNavigate();
  const { pathname, search } = useLocation();
  const opened = useRef<Place | null>(null);
  const go = (place: Place): void => {
    const { to, dialog, run } = place;
    opened.current = place;
    onOpenChange(false);
    run?.();
    if (to === GRAPHIQL) location.assign(to);
    else if (dialog) void navigate(to === pathname ? to + search : to!, { state: { dialog } }); // the filter of the page stays
    else if (to !== undefined) void navigate(to);
  };
  /** The page that is opened has the focus, unless it opens a dialog. */
  const findFocus = (): boolean => {
    const place = opened.current;
    opened.current = null;
    if (place?.to === undefined) return true;
    // An element returned here would pass the focus on to the first control in it.
    if (!place.dialog) setTimeout(() => document.getElementById('main')?.focus());
    return false;
  };
  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className={`dialog ${styles.palette}`} aria-label="Go to" finalFocus={findFocus}>
          <PlaceSearch onOpen={go} />
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
