/** The links to the pages, and the drawer that contains them on narrow screens. */
import { useEffect, useState } from 'react';
import { NavLink, useLocation } from 'react-router';
import { Drawer } from '@base-ui/react/drawer';
import { ExternalLink, Menu as MenuIcon, SquareTerminal, X } from 'lucide-react';
import { PAGES } from './pages';
import { useSession } from './session';
import { ThemeChoice } from './ThemeChoice';
import { UserMenu } from './UserMenu';
import styles from './Shell.module.css';

export function Navigation() {
  const { viewer } = useSession();
  return (
    <nav className={styles.nav} aria-label="Pages">
      {PAGES.filter(({ admin }) => !admin || viewer.isAdmin).map(({ path, title, icon: Icon }) => (
        <NavLink key={path} to={`/${path}`} className={styles.link!}>
          <Icon aria-hidden="true" size={17} />
          {title}
        </NavLink>
      ))}
      {/* A document of its own, whose drafts and results are not to be lost by going back. */}
      <a className={styles.link} href="graphiql" target="_blank" rel="noopener">
        <SquareTerminal aria-hidden="true" size={17} />
        GraphiQL
        <ExternalLink aria-hidden="true" size={13} />
        <span className="unseen">, opens in a new tab</span>
      </a>
    </nav>
  );
}

/** The navigation of narrow screens, which opens over the page. */
export function NavigationDrawer() {
  const [open, setOpen] = useState(false);
  const { pathname } = useLocation();
  useEffect(() => setOpen(false), [pathname]);
  return (
    <Drawer.Root open={open} onOpenChange={setOpen} swipeDirection="left">
      <Drawer.Trigger className={`icon-button ${styles.menu}`} aria-label="Open the navigation">
        <MenuIcon aria-hidden="true" size={20} />
      </Drawer.Trigger>
      <Drawer.Portal>
        <Drawer.Backdrop className="backdrop" />
        <Drawer.Viewport className={styles.viewport}>
          <Drawer.Popup className={styles.drawer}>
            <div className={styles.drawerHead}>
              <Drawer.Title className={styles.name}>Ostinato</Drawer.Title>
              <Drawer.Close className="icon-button" aria-label="Close the navigation">
                <X aria-hidden="true" size={20} />
              </Drawer.Close>
            </div>
            <Navigation />
            <div className={styles.foot}>
              <ThemeChoice />
              <UserMenu />
            </div>
          </Drawer.Popup>
        </Drawer.Viewport>
      </Drawer.Portal>
    </Drawer.Root>
  );
}
