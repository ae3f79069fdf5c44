/** What scheduled a job, when, how and for whom. */
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { formatDuration } from '../../time/format';
import { Since, Until } from '../../time/Instant';
import { Facts } from '../../ui/Facts';
import type { JobDetails } from './spans';

function CauseText({ cause }: { cause: JobDetails['cause'] }) {
  if (cause.job) return <Link to={`/jobs/${cause.job.id}`}>{cause.job.functionName}</Link>;
  if (cause.cron) return <>cron {cause.cron.name}</>;
  return <>{cause.kind === 'API' ? 'a client' : cause.kind.toLowerCase().replaceAll('_', ' ')}</>;
}

function factsOf(job: JobDetails): [string, ReactNode][] {
  return [
    ['Created', <Since at={job.createdAt} />],
    ['Due', <Until at={job.scheduledTime} />],
    ['Scheduled by', <CauseText cause={job.cause} />],
    ['Attempts', `${job.attempt} of ${job.maxAttempts}`],
    ['Queue', job.queue],
    ['Priority', job.priority],
    ['Timeout', job.timeoutMs === null ? "the function's" : formatDuration(job.timeoutMs)],
    ['Owner', job.owner ?? 'the system'],
    ['Id', <code>{job.id}</code>],
    ...(job.purgeAt ? [['Deleted', <Until at={job.purgeAt} />] as [string, ReactNode]] : []),
  ];
}

export function JobFacts({ job }: { job: JobDetails }) {
  return <Facts facts={factsOf(job)} />;
}
