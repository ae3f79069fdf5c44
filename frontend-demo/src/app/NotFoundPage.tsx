/** Shown for an address that has no page. */
import { Link, useLocation } from 'react-router';
import { Page } from '../ui/Page';

export function NotFoundPage() {
  const { pathname } = useLocation();
  return (
    <Page title="There is no such page">
      <p>
        No page has the address <code>{pathname}</code>. Go to <Link to="/">the first page</Link>.
      </p>
    </Page>
  );
}
