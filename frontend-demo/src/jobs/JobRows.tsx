/** The rows of a job feed, newest first, with a note if there are more. */
import type { LiveView } from 'ostinato-client';
import { Rows } from '../ui/Rows';
import { useNow } from '../time/now';
import { JobRow } from './JobRow';
import { NEWEST, newest } from './jobsFeed';
import type { Job } from './jobsFeed';

export function JobRows({ view, empty }: { view: LiveView<Job>; empty: string }) {
  const { jobs, more } = newest(view.rows, useNow());
  return (
    <>
      <Rows
        label="Jobs"
        empty={empty}
        view={view}
        entities={jobs}
        row={(job) => <JobRow key={job.id} job={job} />}
      />
      {more && <p className="foot hint">Showing the newest {NEWEST}.</p>}
    </>
  );
}
