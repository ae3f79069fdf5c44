/** The second line of a job: its arguments, and its result, error, warning, progress or last step. */
import { formatJson } from '../ui/formatJson';
import { errorText } from './errorText';
import type { Job } from './jobsFeed';
import { failedCall } from './states';

type JobOutcomeProps = {
  job: Job;
  open?: boolean | undefined;
  onOpen?: ((id: string, open: boolean) => void) | undefined;
};

type Outcome = { tone: string; text: string } | null;

function brief(value: unknown): string {
  return formatJson(value);
}

/** The last step of a function without a result, such as a call that failed and is made again. */
function lastStep(job: Job): Outcome {
  const text = job.progress?.message;
  return text ? { tone: failedCall(job) === null ? '' : 'row-warning', text } : null;
}

function outcomeOf(job: Job): Outcome {
  const { state, error, result, warnings: [warning] } = job;
  if (state === 'SUCCESS') return result === null ? lastStep(job) : { tone: 'result code', text: ` → ${brief(result)}` };
  if (error) return { tone: 'row-error', text: errorText(error) };
  if (state === 'PENDING' && warning) return { tone: 'row-warning', text: warning.message };
  return null;
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

function Running({ job }: { job: Job }) {
  if (job.state !== 'IN_PROGRESS') return null;
  if (job.cancelRequestedAt) return <p className="row-note">Canceling…</p>;
  return job.progress && <ProgressLine progress={job.progress} />;
}

/** A line that is too long is truncated until it is opened. */
export function JobOutcome({ job, open, onOpen }: JobOutcomeProps) {
  const outcome = outcomeOf(job);
  return (
    <div className="row-notes">
      <details
        className="row-note"
        open={open}
        onToggle={(event) => onOpen?.(job.id, event.currentTarget.open)}
      >
        <summary>
          <span className="code">{brief(job.args)}</span>
          {outcome && <span className={outcome.tone}>{outcome.text}</span>}
        </summary>
      </details>
      <Running job={job} />
    </div>
  );
}
