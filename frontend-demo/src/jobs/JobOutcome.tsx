/** The second line of a job: its progress, error or result, or else its arguments. */
import type { ReactNode } from 'react';
import type { Job } from './jobsFeed';

function brief(value: unknown): string {
  return JSON.stringify(value).replace(/,"/g, ', "').replace(/":/g, '": ');
}

function ProgressLine({ progress }: { progress: NonNullable<Job['progress']> }) {
  const { done, total, message } = progress;
  return (
    <p className="row-note progress">
      {total !== null && <progress value={done} max={total} aria-label="Progress" />}
      <span>
        {done}
        {total !== null && ` of ${total}`}
        {message && ` · ${message}`}
      </span>
    </p>
  );
}

/** A possibly long line, truncated until it is opened. */
function Note({ tone, children }: { tone: string; children: ReactNode }) {
  return (
    <details className={`row-note ${tone}`}>
      <summary>{children}</summary>
    </details>
  );
}

export function JobOutcome({ job }: { job: Job }) {
  const running = job.state === 'IN_PROGRESS';
  if (running && job.cancelRequestedAt) return <p className="row-note">Canceling…</p>;
  if (running && job.progress) return <ProgressLine progress={job.progress} />;
  if (job.error && job.state !== 'SUCCESS') {
    return (
      <Note tone="row-error">
        {job.error.name}: {job.error.message}
      </Note>
    );
  }
  const [warning] = job.warnings;
  if (job.state === 'PENDING' && warning) return <Note tone="row-warning">{warning.message}</Note>;
  const args = brief(job.args);
  const result = job.state === 'SUCCESS' && job.result !== null ? ` → ${brief(job.result)}` : '';
  return (
    <Note tone="code">
      {args}
      {result && <span className="result">{result}</span>}
    </Note>
  );
}
