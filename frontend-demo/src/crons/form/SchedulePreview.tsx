/** A schedule in words and its next ticks while it is being entered; what is wrong with it is shown at its fields. */
import { useEffect, useMemo } from 'react';
import { useQuery } from 'urql';
import type { TypedDocumentNode } from '@urql/core';
import { NO_ISSUES, toFormIssues } from '../../form/issues';
import type { FormIssues, Typed } from '../../form/issues';
import { isIssue } from '../../form/read';
import { useDebounced } from '../../form/useDebounced';
import { PreviewDocument, PreviewEditDocument } from '../../generated';
import type { CronDetailsFragment, PreviewEditQuery } from '../../generated';
import { formatDuration } from '../../time/format';
import { describeCronspec } from '../describeSchedule';
import { changesOf } from './diff';
import { scheduleOf } from './patch';
import { previewVariables, shownTicks } from './preview';
import type { PreviewVariables } from './preview';
import { PlannedTicks } from './PlannedTicks';
import { ScheduleDiff } from './ScheduleDiff';
import { FIELDS } from './values';
import type { EnteredCron, EnteredSchedule } from './values';

function describe(schedule: EnteredSchedule): string | null {
  return 'intervalMs' in schedule ? `Every ${formatDuration(schedule.intervalMs)}` : describeCronspec(schedule.cronspec);
}

/** The issues of fields are at the fields. */
function NoPreview({ reasons }: { reasons: readonly string[] }) {
  return (
    <section className="preview-box" aria-label="Preview" role="status">
      {reasons.map((reason) => (
        <p key={reason} className="issue">
          {reason}
        </p>
      ))}
      {reasons.length === 0 && <p className="hint">The next ticks are shown when all values are valid.</p>}
    </section>
  );
}

type PreviewedProps = Omit<SchedulePreviewProps, 'entered'> & { entered: EnteredCron };

/** The next ticks, and what an edit changes, are read together: one moment separates what is past from what is next. */
function Previewed({ entered, typed, cron, onChecked }: PreviewedProps) {
  const variables = useMemo(() => previewVariables(entered, cron, Date.now()), [entered, cron]);
  const document = variables.change ? PreviewEditDocument : PreviewDocument;
  const [{ data, error, fetching }] = useQuery({
    query: document as TypedDocumentNode<Partial<PreviewEditQuery>, PreviewVariables>,
    variables,
    requestPolicy: 'network-only',
  });
  const issues = useMemo(() => (error ? toFormIssues(error, FIELDS, typed) : NO_ISSUES), [error]);
  useEffect(() => {
    if (!fetching) onChecked(error?.networkError ? null : issues);
  }, [fetching, issues]);
  if (error) return <NoPreview reasons={issues.form} />;
  const { schedule } = entered;
  const words = describe(schedule);
  const zone = 'tz' in schedule ? schedule.tz : undefined;
  return (
    <>
      <section className="preview-box" aria-label="Preview" aria-busy={fetching}>
        {words && <p>{words}</p>}
        <PlannedTicks ticks={shownTicks(data?.previewTicks ?? [], entered)} zone={zone} />
      </section>
      {cron && (
        <ScheduleDiff
          isChanged={variables.change !== undefined}
          changes={data?.previewCronChange && changesOf(data.previewCronChange, [scheduleOf(cron), schedule])}
        />
      )}
    </>
  );
}

type SchedulePreviewProps = {
  /** The issues of a form that cannot be read. */
  entered: EnteredCron | FormIssues;
  /** What it was read from; null before the first change. */
  typed: Typed | null;
  /** The cron that is changed; null for a new one. */
  cron: CronDetailsFragment | null;
  /** Called with what is wrong now; null if it is not known. */
  onChecked: (issues: FormIssues | null) => void;
};

export function SchedulePreview({ entered, ...props }: SchedulePreviewProps) {
  const settled = useDebounced(entered, JSON.stringify(isIssue(entered) ? [...entered.fields] : entered));
  const unreadable = isIssue(settled) ? settled : null;
  useEffect(() => {
    if (unreadable) props.onChecked(unreadable);
  }, [unreadable]);
  return isIssue(settled) ? <NoPreview reasons={[]} /> : <Previewed entered={settled} {...props} />;
}
