/** A schedule in words, and its next ten runs, while it is being entered. */
import { useQuery } from 'urql';
import { PreviewDocument } from '../../generated';
import { formatDuration } from '../../time/format';
import { formatIn } from '../../time/zones';
import { describeCronspec } from '../describeSchedule';
import { previewInput, shownTicks } from './preview';
import type { Shown } from './preview';
import { useDebounced } from '../../form/useDebounced';
import type { EnteredCron, EnteredSchedule } from './values';

function describe(schedule: EnteredSchedule): string | null {
  return 'intervalMs' in schedule ? `Every ${formatDuration(schedule.intervalMs)}` : describeCronspec(schedule.cronspec);
}

function Tick({ shown, format }: { shown: Shown; format: Intl.DateTimeFormat }) {
  if (shown.kind === 'idle') return <li className="hint">and {shown.count} more that do not run</li>;
  const { tick, note } = shown;
  const time = format.format(new Date(tick.dueAt));
  return (
    <li data-note={tick.note ?? ''}>
      <time dateTime={tick.dueAt}>{tick.willRun ? time : <s>{time}</s>}</time>
      {note && <span className="row-warning"> {note}</span>}
    </li>
  );
}

/** `entered` is null for what cannot be read yet, `last` the newest tick of the cron that is changed. */
export function SchedulePreview({ entered, last }: { entered: EnteredCron | null; last: number | null }) {
  const settled = useDebounced(entered, JSON.stringify(entered));
  const [{ data, error }] = useQuery({
    query: PreviewDocument,
    variables: { input: settled ? previewInput(settled, last, Date.now()) : {} },
    pause: settled === null,
  });
  if (settled === null) return null;
  const { schedule } = settled;
  const words = describe(schedule);
  const format = formatIn('tz' in schedule ? schedule.tz : undefined);
  const ticks = error ? [] : shownTicks(data?.previewTicks ?? [], settled);
  return (
    <section className="preview-box" aria-label="Preview">
      {words && <p>{words}</p>}
      {ticks.length > 0 && (
        <ol className="preview" aria-label="Next runs">
          {ticks.map((shown) => (
            <Tick key={shown.kind === 'tick' ? shown.tick.dueAt : shown.at} shown={shown} format={format} />
          ))}
        </ol>
      )}
    </section>
  );
}
