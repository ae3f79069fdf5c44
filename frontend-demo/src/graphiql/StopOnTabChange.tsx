/** Stops a running operation when its tab loses focus: GraphiQL does not when a new tab is opened. */
import { pick, useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { useEffect } from 'react';

export function StopOnTabChange() {
  const { tabs, activeTabIndex } = useGraphiQL(pick('tabs', 'activeTabIndex'));
  const { stop } = useGraphiQLActions();
  const tab = tabs[activeTabIndex]?.id;
  useEffect(() => stop, [tab, stop]);
  return null;
}
