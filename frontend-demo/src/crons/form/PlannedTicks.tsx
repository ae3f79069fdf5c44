/** The next ticks of a schedule in its time zone, with those that do not run. */
import { formatExact } from '../../time/format';
import type { Shown } from './preview';

function Tick({ shown, zone }: { shown: Shown; zone: string | undefined }) {
  if (shown.kind === 'idle') return <li className="hint">and {shown.count} more that do not run</li>;
  const { tick, note } = shown;
  const time = formatExact(Date.parse(tick.dueAt), zone);
  return (
    <li data-note={tick.note ?? ''}>
      <time dateTime={tick.dueAt}>{tick.willRun ? time : <s>{time}</s>}</time>
      {note && <span className="row-warning"> {note}</span>}
    </li>
  );
}

export function PlannedTicks({ ticks, zone }: { ticks: readonly Shown[]; zone: string | undefined }) {
  if (ticks.length === 0) return null;
  return (
    <ol className="preview" aria-label="Next ticks">
      {ticks.map((shown) => (
        <Tick key={shown.kind === 'tick' ? shown.tick.dueAt : shown.at} shown={shown} zone={zone} />
      ))}
    </ol>
  );
}
