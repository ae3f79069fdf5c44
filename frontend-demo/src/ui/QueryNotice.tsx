/** Why what a page shows may be out of date; nothing if it is current. */
import type { CombinedError } from '@urql/core';
import { reasonOf } from '../form/issues';

export function QueryNotice({ error }: { error: CombinedError | undefined }) {
  if (!error) return null;
  const isGone = error.graphQLErrors.some(({ extensions }) => extensions['code'] === 'NOT_FOUND');
  return (
    <p role="alert" className="issue banner">
      {isGone ? 'It does not exist, or has been deleted.' : `${reasonOf(error)} Retrying…`}
    </p>
  );
}
