/** Finds what the palette offers by its name. */
import { useState } from 'react';
import { useQuery } from 'urql';
import { Autocomplete } from '@base-ui/react/autocomplete';
import { Search } from 'lucide-react';
import { PAGES } from '../app/pages';
import { useSession } from '../app/session';
import { useTheme } from '../app/theme';
import { PaletteCronsDocument } from '../generated';
import { commandsOf } from './commands';
import { findPlaces, placesOf } from './places';
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
              <Autocomplete.Item key={`${place.kind} ${place.to ?? place.label}`} value={place} className="popup-item" onClick={() => onOpen(place)}>
                {place.label}
              </Autocomplete.Item>
            )}
          </Autocomplete.Collection>
        </Autocomplete.Group>
      )}
    </Autocomplete.List>
  );
}

export function PlaceSearch({ onOpen }: { onOpen: (place: Place) => void }) {
  const session = useSession();
  const { viewer } = session;
  const theme = useTheme();
  const [{ data }] = useQuery({ query: PaletteCronsDocument, variables: {}, requestPolicy: 'network-only' });
  const [text, setText] = useState('');
  const places = placesOf({
    pages: PAGES.filter(({ admin }) => !admin || viewer.isAdmin),
    crons: data?.crons?.nodes ?? [],
    functions: viewer.functions ?? [],
    commands: commandsOf(session, theme),
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
        <Autocomplete.Input aria-label="Go to" placeholder="A page, a command, a cron, a function or the id of a job" />
      </div>
      <Autocomplete.Empty className="popup-empty">Nothing matches.</Autocomplete.Empty>
      <PlaceList onOpen={onOpen} />
      <p className={styles.keys}>
        <span>
          <kbd>↑</kbd> <kbd>↓</kbd> to choose
        </span>
        <span>
          <kbd>Enter</kbd> to open
        </span>
        <span>
          <kbd>Esc</kbd> to close
        </span>
      </p>
    </Autocomplete.Root>
  );
}
