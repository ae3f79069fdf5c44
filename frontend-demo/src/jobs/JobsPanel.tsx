/** The newest jobs, live, in all states or a selected one, with the form to schedule a job. */
import { useState } from 'react';
import type { Runnable } from '../form/functions';
import type { JobState } from '../generated';
import { Panel } from '../Panel';
import { useNow } from '../time/now';
import { JobRows } from './JobRows';
import { NEWEST, newest, useJobs } from './jobsFeed';
import { JobsInState } from './JobsInState';
import { ScheduleJobForm } from './ScheduleJobForm';
import { StateFilter } from './StateFilter';

export function JobsPanel({ functions }: { functions: Runnable[] | null }) {
  const view = useJobs(null);
  const { jobs, more } = newest(view.rows, useNow());
  const known = view.status === 'live';
  const [chosen, setChosen] = useState<JobState | null>(null);
  return (
    <Panel
      title="Jobs"
      count={known && (more ? `newest ${NEWEST}` : jobs.length)}
      action="Schedule job"
      form={functions && ((close) => <ScheduleJobForm functions={functions} onClose={close} />)}
    >
      <StateFilter jobs={known ? jobs : null} more={more} chosen={chosen} onChoose={setChosen} />
      {chosen ? (
        <JobsInState key={chosen} state={chosen} />
      ) : (
        <JobRows
          view={view}
          empty="No jobs yet. Schedule one, or register a cron and watch it tick."
        />
      )}
    </Panel>
  );
}
