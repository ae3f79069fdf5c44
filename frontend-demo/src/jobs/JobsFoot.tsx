/** What follows the last row: how many jobs are loaded, and a button that loads older ones. */
import { counted } from '../ui/counted';
import type { JobsFeed } from './jobsFeed';
import { MAX_LOADED, NEWEST } from './jobsFeed';

/** Who searches the loaded jobs needs many of them. */
const PAGES_FOR_SEARCH = 10;

/** @param found how many of the loaded jobs the search finds; null without a search. */
export function loadedText(loaded: number, found: number | null, isTruncated: boolean): string {
  const jobs = counted(loaded, 'loaded job');
  if (found !== null) return `${found.toLocaleString()} of ${jobs} ${found === 1 ? 'matches' : 'match'}.`;
  if (loaded === 1) return '1 job is loaded.';
  return `${isTruncated ? '' : 'All '}${counted(loaded, 'job')} are loaded.`;
}

type JobsFootProps = {
  feed: JobsFeed;
  /** How many of the loaded jobs the search finds; null without a search. */
  found: number | null;
};

function Load({ feed, pages }: { feed: JobsFeed; pages: number }) {
  const { older, loadOlder } = feed;
  return (
    <>
      {older === 'failed' && (
        <span role="alert" className="issue">
          Older jobs could not be loaded.
        </span>
      )}
      <button
        type="button"
        className="small"
        aria-disabled={older === 'loading'}
        onClick={() => older !== 'loading' && void loadOlder(pages)}
      >
        {older === 'loading' ? 'Loading…' : older === 'failed' ? 'Try again' : 'Load older jobs'}
      </button>
    </>
  );
}

export function JobsFoot({ feed, found }: JobsFootProps) {
  const { view, hasOlder } = feed;
  const { length } = view.rows;
  if (view.status === 'loading' || (length <= NEWEST && !hasOlder && found === null)) return null;
  return (
    <div className="foot hint" data-loaded={length}>
      {loadedText(length, found, view.truncated)}
      {length >= MAX_LOADED && ' Filter by time to see older ones.'}
      {hasOlder && <Load feed={feed} pages={found === null ? 1 : PAGES_FOR_SEARCH} />}
    </div>
  );
}
