/** Why what a page shows may be out of date; nothing if it is current. */
import type { CombinedError } from '@urql/core';
import { reasonOf } from '../form/issues';

export function QueryNotice({ error }: { error: CombinedError | undefined }) {
  if (!error) return null;
  return (
    <p role="alert" className="issue banner">
      {reasonOf(error)} Retrying…
    </p>
  );
}
