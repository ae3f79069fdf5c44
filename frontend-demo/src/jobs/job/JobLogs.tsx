/** What a job's function has logged, live. */
import { useEffect, useRef } from 'react';
import { useSubscription } from 'urql';
import { JobLogsChangedDocument } from '../../generated';
import type { JobLogsChangedSubscription } from '../../generated';
import { formatClock } from '../../time/format';
import { Card } from '../../ui/Card';
import { QueryNotice } from '../../ui/QueryNotice';
import { mergeLines } from './mergeLines';
import type { LogLine } from './mergeLines';
import styles from './JobLogs.module.css';

/** How near to its end a list must be to follow new lines, in pixels. */
const AT_END_PX = 40;

function fieldsOf({ fields }: LogLine): string {
  const named = Object.entries(fields as Record<string, unknown>);
  return named.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(' ');
}

function Line({ line }: { line: LogLine }) {
  return (
    <li className={styles[line.level.toLowerCase()]}>
      <time dateTime={line.at}>{formatClock(Date.parse(line.at))}</time> <b>{line.level.toLowerCase()}</b> {line.message}{' '}
      <span className={styles.fields}>{fieldsOf(line)}</span>
    </li>
  );
}

/** Keep the end in view, unless the user has scrolled up. */
function useFollow(count: number) {
  const list = useRef<HTMLOListElement>(null);
  const follows = useRef(true);
  useEffect(() => {
    if (follows.current && list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [count]);
  const onScroll = (): void => {
    const { scrollTop, clientHeight, scrollHeight } = list.current!;
    follows.current = scrollTop + clientHeight > scrollHeight - AT_END_PX;
  };
  return { list, onScroll };
}

/** Shows nothing if nothing was logged. */
export function JobLogs({ jobId }: { jobId: string }) {
  const [{ data: lines = [], error }] = useSubscription<JobLogsChangedSubscription, LogLine[], { jobId: string }>(
    { query: JobLogsChangedDocument, variables: { jobId } },
    (known = [], { jobLogsChanged: message }) => mergeLines(known, message?.lines ?? []),
  );
  const { list, onScroll } = useFollow(lines.length);
  if (lines.length === 0 && !error) return null;
  return (
    <Card title="Log">
      <QueryNotice error={error} />
      <ol ref={list} className={styles.lines} onScroll={onScroll} tabIndex={0} aria-label="Log lines">
        {lines.map((line) => (
          <Line key={`${line.attempt}/${line.seq}`} line={line} />
        ))}
      </ol>
    </Card>
  );
}
