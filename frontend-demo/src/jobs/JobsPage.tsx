/** The newest jobs, live, in all states or in a selected one. */
import { useState } from 'react';
import { useSession } from '../app/session';
import type { JobState } from '../generated';
import { useNow } from '../time/now';
import { FormDialog } from '../ui/FormDialog';
import { Page } from '../ui/Page';
import { JobRows } from './JobRows';
import { JobsInState } from './JobsInState';
import { NEWEST, newest, useJobs } from './jobsFeed';
import { ScheduleJobForm } from './ScheduleJobForm';
import { StateFilter } from './StateFilter';

export default function JobsPage() {
  const { viewer } = useSession();
  const view = useJobs(null);
  const { jobs, more } = newest(view.rows, useNow());
  const known = view.status === 'live';
  const [chosen, setChosen] = useState<JobState | null>(null);
  const count = known && (more ? `newest ${NEWEST}` : jobs.length);
  return (
    <Page
      title="Jobs"
      note={<span className="count">{count}</span>}
      actions={
        <FormDialog action="Schedule job" title="Schedule a job" className="primary" disabled={!viewer.functions}>
          {(close) => <ScheduleJobForm functions={viewer.functions ?? []} onClose={close} />}
        </FormDialog>
      }
    >
      <div className="card">
        <StateFilter jobs={known ? jobs : null} more={more} chosen={chosen} onChoose={setChosen} />
        {chosen ? (
          <JobsInState key={chosen} state={chosen} />
        ) : (
          <JobRows view={view} empty="No jobs yet. Schedule one, or register a cron and watch it tick." />
        )}
      </div>
    </Page>
  );
}
