/** The newest jobs, live, with the form that schedules one. */
import { useState } from 'react';
import type { Runnable } from '../form/functions';
import type { JobState } from '../generated';
import { Rows } from '../live/Rows';
import { useLive } from '../live/useLive';
import { Panel } from '../Panel';
import { useNow } from '../time/now';
import { NEWEST, jobsFeed, newestFirst } from './jobsFeed';
import { JobRow } from './JobRow';
import { ScheduleJobForm } from './ScheduleJobForm';
import { StateFilter } from './StateFilter';
import { STATE_NAMES } from './states';

/** Purges send no event: a job leaves the page when its own time to be purged has come. */
function isKept(purgeAt: string | null, now: number): boolean {
  return purgeAt === null || Date.parse(purgeAt) > now;
}

export function JobsPanel({ functions }: { functions: Runnable[] | null }) {
  const view = useLive(jobsFeed);
  const now = useNow();
  const [chosen, setChosen] = useState<JobState | null>(null);
  const jobs = [...view.live.rows.values()].filter((job) => isKept(job.purgeAt, now));
  const shown = jobs.filter((job) => chosen === null || job.state === chosen).sort(newestFirst);
  const empty = chosen
    ? `No job in view is ${STATE_NAMES[chosen].toLowerCase()}.`
    : 'No jobs yet. Schedule one, or register a cron and watch it tick.';
  return (
    <Panel
      title="Jobs"
      count={jobs.length}
      action="Schedule job"
      form={functions && ((close) => <ScheduleJobForm functions={functions} onClose={close} />)}
    >
      <StateFilter jobs={jobs} chosen={chosen} onChoose={setChosen} />
      <Rows
        label="Jobs"
        empty={empty}
        view={view}
        entities={shown}
        row={(job) => <JobRow key={job.id} job={job} />}
      />
      {jobs.length === NEWEST && <p className="foot hint">The newest {NEWEST} jobs.</p>}
    </Panel>
  );
}
