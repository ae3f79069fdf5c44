/** A schedule in words, and its next ten runs, while it is being entered. */
import { useQuery } from 'urql';
import { PreviewDocument } from '../../generated';
import { formatDuration } from '../../time/format';
import { formatIn } from '../../time/zones';
import { describeCronspec } from '../describeSchedule';
import { useDebounced } from './useDebounced';
import type { EnteredSchedule } from './values';

const RUNS = 10;

function describe(schedule: EnteredSchedule): string | null {
  return 'intervalMs' in schedule ? `Every ${formatDuration(schedule.intervalMs)}` : describeCronspec(schedule.cronspec);
}

function Runs({ runs, zone }: { runs: readonly string[]; zone: string | undefined }) {
  const format = formatIn(zone);
  return (
    <ol className="preview" aria-label="Next runs">
      {runs.map((at) => (
        <li key={at}>
          <time dateTime={at}>{format.format(new Date(at))}</time>
        </li>
      ))}
    </ol>
  );
}

export function SchedulePreview({ schedule }: { schedule: EnteredSchedule | 'invalid' }) {
  const settled = useDebounced(schedule, JSON.stringify(schedule));
  const known = settled === 'invalid' ? null : settled;
  const [{ data, error }] = useQuery({
    query: PreviewDocument,
    variables: { input: { ...(known ?? { intervalMs: 1_000 }), count: RUNS } },
    pause: known === null,
  });
  if (known === null) return null;
  const words = describe(known);
  return (
    <div className="preview-box">
      {words && <p>{words}</p>}
      {!error && data?.previewCron && <Runs runs={data.previewCron} zone={'tz' in known ? known.tz : undefined} />}
    </div>
  );
}
