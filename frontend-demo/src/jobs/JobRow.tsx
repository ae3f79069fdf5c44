/** A job: its state, function, outcome and actions. */
import { memo } from 'react';
import { Link } from 'react-router';
import { Since, Until } from '../time/Instant';
import { JobActions } from './JobActions';
import type { Job } from './jobsFeed';
import { JobOutcome } from './JobOutcome';
import { STATE_NAMES, tone } from './states';

function JobTime({ job }: { job: Job }) {
  if (job.state === 'PENDING') return <Until at={job.scheduledTime} before="due " />;
  if (job.state === 'IN_PROGRESS') return <Since at={job.startedAt ?? job.scheduledTime} />;
  return <Since at={job.completedAt ?? job.createdAt} />;
}

function JobRowView({ job }: { job: Job }) {
  return (
    <li className={`row job ${tone(job.state)}`} data-job={job.id} data-state={job.state}>
      <span className="chip">
        <span className="dot" aria-hidden="true" />
        {STATE_NAMES[job.state]}
      </span>
      <div className="row-main">
        <p className="row-title">
          <Link to={`/jobs/${job.id}`} className="row-link">
            <code>{job.functionName}</code>
          </Link>
          {job.cause.kind !== 'API' && <span className="tag">{job.cause.kind.toLowerCase()}</span>}
          {job.attempt > 1 && (
            <span className="tag">
              attempt {job.attempt} of {job.maxAttempts}
            </span>
          )}
        </p>
        <JobOutcome job={job} />
      </div>
      <JobActions job={job} />
      <span className="row-time">
        <JobTime job={job} />
      </span>
    </li>
  );
}

export const JobRow = memo(JobRowView, (a, b) => a.job === b.job);
