/** Marks a job whose function recorded a failure although the job itself has succeeded; leads to the failure. */
import { Link } from 'react-router';
import type { RecordedFailureFragment } from '../generated';

export function failurePath({ functionName, fingerprint, state }: RecordedFailureFragment): string {
  const which = { function: functionName, ...(fingerprint && { fingerprint }), ...(state === 'RESOLVED' && { state }) };
  return `/failures?${new URLSearchParams(which).toString()}`;
}

export function RecordedFailure({ failure }: { failure: RecordedFailureFragment | null }) {
  if (!failure) return null;
  return (
    <Link className="tag tag-failure" to={failurePath(failure)}>
      recorded a failure
    </Link>
  );
}
