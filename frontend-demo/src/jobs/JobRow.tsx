/** A job: its state, function, outcome and actions. All of it leads to the page of the job. */
import { memo, useRef, useState } from 'react';
import { Link } from 'react-router';
import { Since, Until } from '../time/Instant';
import { JobActions } from './JobActions';
import type { Job } from './jobsFeed';
import { JobOutcome } from './JobOutcome';
import { RecordedFailure } from './RecordedFailure';
import { shownState } from './states';

/** A job that is younger than this when its row appears is highlighted. */
const FRESH_MS = 2_000;

/** Where a row is in a list whose other rows do not exist. */
type Place = { index: number; count: number; top: number; measure: (row: HTMLLIElement | null) => void };

type JobRowProps = {
  job: Job;
  place?: Place;
  /** Whether its line is unfolded; undefined if the row keeps it. */
  open?: boolean | undefined;
  onOpen?: ((id: string, open: boolean) => void) | undefined;
  /** Undefined if it cannot be selected. */
  selected?: boolean | undefined;
  onSelect?: (id: string, isRange: boolean) => void;
};

function JobTime({ job }: { job: Job }) {
  if (job.state === 'PENDING') return <Until at={job.scheduledTime} before="due " past="was due " />;
  if (job.state === 'IN_PROGRESS') return <Since at={job.startedAt ?? job.scheduledTime} />;
  return <Since at={job.completedAt ?? job.createdAt} />;
}

type ContentProps = Pick<JobRowProps, 'job' | 'open' | 'onOpen'>;

function ContentView({ job, open, onOpen }: ContentProps) {
  return (
    <>
      <span className="chip">
        <span className="dot" aria-hidden="true" />
        {shownState(job).name}
      </span>
      <div className="row-main">
        <p className="row-title">
          <Link to={`/jobs/${job.id}`} className="row-link">
            <code>{job.functionName}</code>
          </Link>
          {job.cause.kind !== 'API' && <span className="tag">{job.cause.kind.toLowerCase()}</span>}
          {job.attempt > 1 && <span className="tag">{`attempt ${job.attempt} of ${job.maxAttempts}`}</span>}
          <RecordedFailure failure={job.recordedFailure} />
          {job.tags.map((name) => (
            <span key={name} className="tag">
              {name}
            </span>
          ))}
        </p>
        <JobOutcome job={job} open={open} onOpen={onOpen} />
      </div>
      <JobActions job={job} />
      <span className="row-time">
        <JobTime job={job} />
      </span>
    </>
  );
}

const Content = memo(ContentView, (a, b) => a.job === b.job && a.open === b.open && a.onOpen === b.onOpen);

function placement({ index, count, top }: Place) {
  const style = { transform: `translateY(${top}px)` };
  return { style, 'data-index': index, 'aria-posinset': index + 1, 'aria-setsize': count };
}

export function JobRow({ job, place, open, onOpen, selected, onSelect }: JobRowProps) {
  const [fresh] = useState(() => Date.now() - Date.parse(job.createdAt) < FRESH_MS);
  const wasOpen = useRef(false);
  wasOpen.current ||= open === true;
  return (
    <li
      className={`row job ${shownState(job).tone}${fresh ? ' fresh' : ''}${selected === undefined ? '' : ' selectable'}`}
      data-job={job.id}
      data-state={job.state}
      ref={wasOpen.current ? place?.measure : undefined}
      {...(place && placement(place))}
    >
      {selected !== undefined && (
        <input
          type="checkbox"
          aria-label={`Select job ${job.functionName}`}
          checked={selected}
          onChange={(event) => onSelect?.(job.id, (event.nativeEvent as MouseEvent).shiftKey)}
        />
      )}
      <Content job={job} open={open} onOpen={onOpen} />
    </li>
  );
}
