/** A schedule in words and its next ten runs while it is being entered; or why they cannot be shown. */
import { useMemo } from 'react';
import { useQuery } from 'urql';
import type { TypedDocumentNode } from '@urql/core';
import { sentenceOf, toFormIssues } from '../../form/issues';
import type { FormIssues } from '../../form/issues';
import { useDebounced } from '../../form/useDebounced';
import { PreviewDocument, PreviewEditDocument } from '../../generated';
import type { CronDetailsFragment, PreviewEditQuery } from '../../generated';
import { formatDuration } from '../../time/format';
import { formatIn } from '../../time/zones';
import { describeCronspec } from '../describeSchedule';
import { previewVariables, shownTicks } from './preview';
import type { PreviewVariables, Shown } from './preview';
import { ScheduleDiff } from './ScheduleDiff';
import { FIELDS, LABELS, isIssue } from './values';
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

/** The issues of the form with the names of its fields, each once. */
function reasonsOf({ fields, form }: FormIssues): string[] {
  const named = [...fields].flatMap(([field, messages]) => messages.map((text) => sentenceOf(LABELS[field] ?? field, text, field)));
  return [...new Set([...form, ...named])];
}

function NoPreview({ reasons }: { reasons: readonly string[] }) {
  return (
    <section className="preview-box" aria-label="Preview" role="status">
      {reasons.map((reason) => (
        <p key={reason} className="issue">
          {reason}
        </p>
      ))}
    </section>
  );
}

type PreviewedProps = { entered: EnteredCron; cron: CronDetailsFragment | null };

/** The next runs, and what an edit changes, are read together: one moment separates what is past from what is next. */
function Previewed({ entered, cron }: PreviewedProps) {
  const variables = useMemo(() => previewVariables(entered, cron, Date.now()), [entered, cron]);
  const document = variables.change ? PreviewEditDocument : PreviewDocument;
  const [{ data, error }] = useQuery({
    query: document as TypedDocumentNode<Partial<PreviewEditQuery>, PreviewVariables>,
    variables,
    requestPolicy: 'network-only',
  });
  if (error) return <NoPreview reasons={reasonsOf(toFormIssues(error, FIELDS))} />;
  const { schedule } = entered;
  const words = describe(schedule);
  const format = formatIn('tz' in schedule ? schedule.tz : undefined);
  const ticks = shownTicks(data?.previewTicks ?? [], entered);
  return (
    <>
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
      {cron && <ScheduleDiff isChanged={variables.change !== undefined} preview={data?.previewCronChange ?? undefined} />}
    </>
  );
}

type SchedulePreviewProps = {
  /** The issue of a form that cannot be read. */
  entered: EnteredCron | FormIssues;
  /** The cron that is changed; null for a new one. */
  cron: CronDetailsFragment | null;
};

export function SchedulePreview({ entered, cron }: SchedulePreviewProps) {
  const key = isIssue(entered) ? reasonsOf(entered).join() : JSON.stringify(entered);
  const settled = useDebounced(entered, key);
  if (isIssue(settled)) return <NoPreview reasons={reasonsOf(settled)} />;
  return <Previewed entered={settled} cron={cron} />;
}
