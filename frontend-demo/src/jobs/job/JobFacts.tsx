/** What scheduled a job, when, how and for whom. */
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { formatDuration } from '../../time/format';
import { Expected, Since, Until } from '../../time/Instant';
import { Facts } from '../../ui/Facts';
import type { JobDetails } from './spans';

function CauseText({ cause }: { cause: JobDetails['cause'] }) {
  if (cause.job) return <Link to={`/jobs/${cause.job.id}`}>{cause.job.functionName}</Link>;
  if (cause.cron) return <>cron <Link to={`/crons/${cause.cron.id}`}>{cause.cron.name}</Link></>;
  return <>{cause.kind === 'API' ? 'a client' : cause.kind.toLowerCase().replaceAll('_', ' ')}</>;
}

function factsOf(job: JobDetails): [string, ReactNode][] {
  return [
    ['Created', <Since at={job.createdAt} />],
    ['Due time', <Until at={job.scheduledTime} />],
    ['Scheduled by', <CauseText cause={job.cause} />],
    ['Attempts', `${job.attempt} of ${job.maxAttempts}`],
    ['Queue', job.queue],
    ['Priority', job.priority],
    ['Timeout', job.timeoutMs === null ? "the function's" : formatDuration(job.timeoutMs)],
    ['Owner', job.owner ?? 'the system'],
    ['Id', <code>{job.id}</code>],
    ...(job.purgeAt ? [['Deletion', <Expected at={job.purgeAt} />] as [string, ReactNode]] : []),
  ];
}

export function JobFacts({ job }: { job: JobDetails }) {
  return <Facts facts={factsOf(job)} />;
}
