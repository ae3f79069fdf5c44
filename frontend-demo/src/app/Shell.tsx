/** The frame of every page: the navigation, the state of the connection and the user. */
import { useState } from 'react';
import type { ReactNode } from 'react';
import { ConnectionChip } from '../access/ConnectionChip';
import { PaletteButton } from '../palette/PaletteButton';
import { PaletteDoor } from '../palette/PaletteDoor';
import { Mark } from './Mark';
import { Navigation, NavigationDrawer } from './Navigation';
import { useSession } from './session';
import { ThemeChoice } from './ThemeChoice';
import { UserMenu } from './UserMenu';
import styles from './Shell.module.css';

export function Shell({ children }: { children: ReactNode }) {
  const { connection } = useSession();
  const [isSearching, setSearching] = useState(false);
  return (
    <div className={styles.shell}>
      <a className={styles.skip} href="#main" onClick={skipToMain}>
        Skip to the content
      </a>
      <header className={styles.bar}>
        <NavigationDrawer />
        <Mark />
        <span className={styles.name}>Ostinato</span>
        <ConnectionChip connection={connection} />
        <PaletteButton isSmall onOpen={() => setSearching(true)} />
      </header>
      <div className={styles.side}>
        <div className={styles.brand}>
          <Mark />
          <span className={styles.name}>Ostinato</span>
        </div>
        <PaletteButton onOpen={() => setSearching(true)} />
        <Navigation />
        <div className={styles.foot}>
          <ConnectionChip connection={connection} />
          <ThemeChoice />
          <UserMenu />
        </div>
      </div>
      <main id="main" tabIndex={-1} className={styles.main}>
        {children}
      </main>
      <PaletteDoor open={isSearching} onOpenChange={setSearching} />
    </div>
  );
}

/** The router owns the address after `#`, so the link moves the focus itself. */
function skipToMain(event: { preventDefault: () => void }): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}
