/** Goes to a page, a cron, the jobs of a function or a job by id; Ctrl+K, ⌘K or its buttons open it. */
import { useEffect, useState } from 'react';
import { useNavigate } from 'react-router';
import { useQuery } from 'urql';
import { Autocomplete } from '@base-ui/react/autocomplete';
import { Dialog } from '@base-ui/react/dialog';
import { Search } from 'lucide-react';
import { PAGES } from '../app/pages';
import { useSession } from '../app/session';
import { PaletteCronsDocument } from '../generated';
import { GRAPHIQL, findPlaces, placesOf } from './places';
import type { Place, PlaceGroup } from './places';
import styles from './Palette.module.css';

function PlaceList({ onOpen }: { onOpen: (place: Place) => void }) {
  return (
    <Autocomplete.List className={styles.list}>
      {(group: PlaceGroup) => (
        <Autocomplete.Group key={group.value} items={group.items}>
          <Autocomplete.GroupLabel className={styles.group}>{group.value}</Autocomplete.GroupLabel>
          <Autocomplete.Collection>
            {(place: Place) => (
              <Autocomplete.Item key={place.to} value={place} className="popup-item" onClick={() => onOpen(place)}>
                {place.label}
              </Autocomplete.Item>
            )}
          </Autocomplete.Collection>
        </Autocomplete.Group>
      )}
    </Autocomplete.List>
  );
}

function PlaceSearch({ onOpen }: { onOpen: (place: Place) => void }) {
  const { viewer } = useSession();
  const [{ data }] = useQuery({ query: PaletteCronsDocument, variables: {}, requestPolicy: 'network-only' });
  const [text, setText] = useState('');
  const places = placesOf({
    pages: PAGES.filter(({ admin }) => !admin || viewer.isAdmin),
    crons: data?.crons?.nodes ?? [],
    functions: viewer.functions ?? [],
  });
  return (
    <Autocomplete.Root
      open
      inline
      items={findPlaces(places, text)}
      filter={null}
      value={text}
      onValueChange={setText}
      itemToStringValue={(place: Place) => place.label}
      autoHighlight="always"
      keepHighlight
    >
      <div className={styles.search}>
        <Search aria-hidden="true" size={17} />
        <Autocomplete.Input aria-label="Go to" placeholder="A page, a cron, a function or the id of a job" />
      </div>
      <Autocomplete.Empty className="popup-empty">Nothing matches.</Autocomplete.Empty>
      <PlaceList onOpen={onOpen} />
    </Autocomplete.Root>
  );
}

type PaletteProps = { open: boolean; onOpenChange: (open: boolean) => void };

export function Palette({ open, onOpenChange }: PaletteProps) {
  const navigate = useNavigate();
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      onOpenChange(!open);
    };
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, [open, onOpenChange]);
  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className={`dialog ${styles.palette}`} aria-label="Go to">
          <PlaceSearch
            onOpen={({ to }) => {
              onOpenChange(false);
              if (to === GRAPHIQL) location.assign(to);
              else void navigate(to);
            }}
          />
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
