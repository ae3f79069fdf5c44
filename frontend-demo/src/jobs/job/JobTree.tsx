/** All jobs that one job has led to, live: its children, their children and retries. */
import { Link } from 'react-router';
import { useLiveQuery } from 'ostinato-client/urql';
import { JobTreeChangedDocument } from '../../generated';
import { Since } from '../../time/Instant';
import { Card } from '../../ui/Card';
import { Chip } from '../../ui/Chip';
import { LiveNotice } from '../../ui/LiveNotice';
import { RecordedFailure } from '../RecordedFailure';
import { shownState } from '../states';
import { arrangeTree } from './tree';
import type { TreeRow } from './tree';
import styles from './JobTree.module.css';

function TreeItem({ row: { job, depth }, isShown }: { row: TreeRow; isShown: boolean }) {
  const name = <code>{job.functionName}</code>;
  const state = shownState(job);
  return (
    <li className={styles.item} style={{ paddingLeft: `${depth * 1.4}rem` }} aria-current={isShown || undefined}>
      {depth > 0 && <span className={styles.branch} aria-hidden="true" />}
      {isShown ? <strong>{name}</strong> : <Link to={`/jobs/${job.id}`}>{name}</Link>}
      <Chip tone={state.tone}>{state.name}</Chip>
      <RecordedFailure failure={job.recordedFailure} />
      {job.progress?.message && <span className={`row-note ${styles.step}`}>{job.progress.message}</span>}
      <span className={styles.time}>
        <Since at={job.createdAt} />
      </span>
    </li>
  );
}

/** Shows nothing if the job is alone. */
export function JobTree({ rootId, shownId }: { rootId: string; shownId: string }) {
  const view = useLiveQuery(JobTreeChangedDocument, { rootId });
  if (view.rows.length < 2 && !view.error) return null;
  return (
    <Card title={`Tree of ${view.rows.length.toLocaleString()}${view.truncated ? ' or more' : ''} jobs`}>
      <LiveNotice view={view} />
      <ul className={styles.tree}>
        {arrangeTree(view.rows).map((row) => (
          <TreeItem key={row.job.id} row={row} isShown={row.job.id === shownId} />
        ))}
      </ul>
    </Card>
  );
}
