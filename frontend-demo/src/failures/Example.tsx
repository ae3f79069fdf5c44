/** The newest failure of a group: its error, its arguments, and its job. */
import { Link } from 'react-router';
import { ResolveFailureDocument, RetryJobDocument } from '../generated';
import { errorText } from '../jobs/errorText';
import { formatExact } from '../time/format';
import { Actions, action } from '../ui/Actions';
import { Facts } from '../ui/Facts';
import { Json } from '../ui/Json';
import styles from './Failures.module.css';
import type { Group } from './useFailureGroups';

type Failure = NonNullable<Group['example']>;

function actionsOf({ id, job }: Failure, onDone: () => void) {
  const resolve = action('Resolve this one', ResolveFailureDocument, { input: { failureId: id } }, { onDone });
  if (!job) return [resolve];
  return [action('Retry this one', RetryJobDocument, { input: { jobId: job.id } }, { onDone }), resolve];
}

function JobLink({ job }: { job: { id: string; functionName: string } }) {
  return <Link to={`/jobs/${job.id}`}>{job.functionName}</Link>;
}

export function Example({ group, onDone }: { group: Group; onDone: () => void }) {
  const { example, functionName } = group;
  if (!example) return <p className="hint">Its job was just retried.</p>;
  const { at, attempts, resolvedAt, job, recordedBy, error, data } = example;
  return (
    <div className={styles.details}>
      {error.traceback ? (
        <pre className="traceback" tabIndex={0} role="region" aria-label="Traceback">
          {error.traceback}
        </pre>
      ) : (
        <p className="issue card-text">
          {errorText(error)}
        </p>
      )}
      <Facts
        facts={[
          ['Failed', formatExact(Date.parse(at))],
          ...(resolvedAt ? [['Resolved', formatExact(Date.parse(resolvedAt))] as const] : []),
          ['Attempts', attempts.toLocaleString()],
          job || !recordedBy
            ? ['Job', job ? <JobLink job={job} /> : 'none, or it has been purged']
            : ['Recorded by', <JobLink job={recordedBy} />],
        ]}
      />
      <Json value={data} label={job ? 'Arguments' : 'Data'} />
      {resolvedAt === null && (
        <Actions actions={actionsOf(example, onDone)} target={`newest failure of ${functionName}`} />
      )}
    </div>
  );
}
