/** Where the jobs of a retry are, and what to expect of them. */
import { Link } from 'react-router';
import type { FailureFilter } from '../generated';
import { jobsPath } from '../jobs/filter';

export function Retried({ filter: { functionName, owner } }: { filter: FailureFilter }) {
  return (
    <>
      <Link to={jobsPath({ function: functionName ?? '', owner: owner ?? '' })}>{functionName ? `See the jobs of ${functionName}` : 'See the jobs'}</Link>
      <span className="hint">Those that fail again are listed here again.</span>
    </>
  );
}
