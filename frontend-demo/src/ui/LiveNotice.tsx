/** Why a live list may be out of date; nothing if it is current. */
import type { LiveView } from 'ostinato-client';

export function LiveNotice({ view }: { view: LiveView<unknown> }) {
  if (!view.error) return null;
  return (
    <p role="alert" className="issue banner">
      {view.error.problems[0]?.message ?? 'The live connection failed.'} Retrying…
    </p>
  );
}
