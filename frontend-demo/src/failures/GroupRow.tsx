/** Similar failures of one function: how many, since when, an example, and what can be done with them. */
import { useId, useState } from 'react';
import { Link } from 'react-router';
import { jobsPath } from '../jobs/filter';
import { Since } from '../time/Instant';
import { counted } from '../ui/counted';
import { BulkButtons } from './BulkButtons';
import type { BulkButtonsProps } from './BulkButtons';
import { noRetryReason, offerOfGroup } from './changes';
import { Example } from './Example';
import styles from './Failures.module.css';
import type { FailuresFilter } from './filter';
import { Trend } from './Trend';
import type { Group } from './useFailureGroups';

/** The failed jobs; all jobs of the function if it recorded the failures itself, as those have succeeded. */
function jobsOf({ functionName, owner, retryableCount }: Group): string {
  return jobsPath({ function: functionName, owner: owner ?? '', state: retryableCount > 0 ? 'FAILED' : '' });
}

function Seen({ group: { count, firstSeenAt, lastSeenAt } }: { group: Group }) {
  if (count === 1) return <Since at={lastSeenAt} />;
  return (
    <>
      <Since at={lastSeenAt} before="last " />
      <Since at={firstSeenAt} before="first " />
    </>
  );
}

type GroupRowProps = {
  group: Group;
  filter: FailuresFilter;
  isAdmin: boolean;
  onDone: () => void;
} & Pick<BulkButtonsProps, 'ask' | 'onRetry'>;

export function GroupRow({ group, filter, isAdmin, ask, onRetry, onDone }: GroupRowProps) {
  const { functionName, errorName, message, count, owner } = group;
  const [open, setOpen] = useState(false);
  const reasonId = useId();
  const reason = filter.state === '' ? noRetryReason({ count, retryable: group.retryableCount }) : null;
  return (
    <li className={`${styles.group} ${filter.state === '' ? 'tone-failed' : 'tone-success'}`} data-failures={count}>
      <div className={styles.head}>
        <strong className={styles.count}>
          <span aria-hidden="true">{count.toLocaleString()}</span>
          <span className="unseen">{counted(count, 'failure')}</span>
        </strong>
        <div className={styles.main}>
          <h2 className={styles.message}>
            <span className="row-error">
              {errorName}
              {message && ':'}
            </span>{' '}
            {message}
          </h2>
          <p className={`row-note ${styles.facts}`}>
            <Link to={jobsOf(group)}>
              <code>{functionName}</code>
            </Link>
            <Seen group={group} />
            {isAdmin && <span className="tag">{owner ?? 'the system'}</span>}
          </p>
          {reason && (
            <p id={reasonId} className="hint">
              {reason}
            </p>
          )}
        </div>
        <Trend values={group.trend} />
        {filter.state === '' && (
          <BulkButtons
            className="small"
            offer={offerOfGroup(group, filter)}
            of={functionName}
            ask={ask}
            onRetry={onRetry}
            describedBy={reason ? reasonId : undefined}
          />
        )}
      </div>
      <details className={styles.example} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>{count === 1 ? 'Details' : 'Newest failure'}</summary>
        {open && <Example group={group} onDone={onDone} />}
      </details>
    </li>
  );
}
