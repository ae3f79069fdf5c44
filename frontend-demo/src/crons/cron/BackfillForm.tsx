/** The form that runs the ticks of a past period which have not run. */
import { useState } from 'react';
import { useMutation } from 'urql';
import { Field } from '../../form/Field';
import { FormFrame } from '../../form/FormFrame';
import { NO_ISSUES, fieldIssue, issuesOnly, reasonOf, toFormIssues, withCurrent } from '../../form/issues';
import type { FormIssues } from '../../form/issues';
import { BackfillCronDocument } from '../../generated';
import type { CronDetailsFragment } from '../../generated';
import { toLocal } from '../../time/local';
import { counted } from '../../ui/counted';
import { Skeleton } from '../../ui/Skeleton';
import { useToasts } from '../../ui/Toasts';
import { readInstant } from '../form/values';
import { describeBackfill } from './backfill';
import type { Period } from './backfill';
import { useLatestPeriod, useTicks } from './usePeriods';
import type { CountedTicks } from './usePeriods';

const FIELDS = ['from', 'to'];

type BackfillFormProps = { cron: CronDetailsFragment; onClose: () => void };

function Count({ ticks, error, period }: CountedTicks & { period: Period | null }) {
  if (period === null) return <p className="hint">Enter a period that has ended.</p>;
  if (error) return <p className="issue">{reasonOf(error)}</p>;
  if (!ticks) return <p className="hint">Counting…</p>;
  if (ticks.issue) return <p className="hint">Too many ticks to run at once.</p>;
  return (
    <p>
      <strong>{counted(ticks.count, 'tick')}</strong>
      <span className="hint"> Those that have run are not run again.</span>
    </p>
  );
}

function readPeriod(values: FormData): Period | null {
  const [from, to] = [readInstant(values, 'from'), readInstant(values, 'to')];
  return from !== null && to !== null && from < to ? { from, to } : null;
}

function PeriodForm({ cron, initial, onClose }: BackfillFormProps & { initial: Period }) {
  const [{ fetching }, start] = useMutation(BackfillCronDocument);
  const [sent, setSent] = useState<FormIssues>(NO_ISSUES);
  const [period, setPeriod] = useState<Period | null>(initial);
  const count = useTicks(cron, period);
  const toasts = useToasts();
  const tooMany = count.ticks?.issue ?? null;
  const issues = withCurrent(sent, tooMany);
  const submit = async (values: FormData): Promise<void> => {
    const entered = readPeriod(values);
    if (!entered) return setSent(fieldIssue('from', 'Enter a start that is before the end.'));
    if (tooMany) return setSent({ ...tooMany }); // focuses the field
    const { data, error } = await start({ input: { cronId: cron.id, ...entered } });
    setSent(error ? toFormIssues(error, FIELDS) : NO_ISSUES);
    const done = data?.backfillCron;
    if (!done) return;
    toasts.add(describeBackfill(done, cron));
    onClose();
  };
  return (
    <FormFrame
      label="Run ticks of the past"
      action="Run them"
      sending={fetching}
      issues={sent}
      onEdit={() => setSent((known) => issuesOnly(known, () => false))}
      onChange={(values) => setPeriod(readPeriod(values))}
      onSubmit={(values) => void submit(values)}
      onCancel={onClose}
    >
      {(['from', 'to'] as const).map((name) => (
        <Field key={name} name={name} label={name === 'from' ? 'From' : 'To'} issues={issues}>
          {(control) => <input {...control} type="datetime-local" step="1" defaultValue={toLocal(initial[name])} />}
        </Field>
      ))}
      <div role="status" className="preview-box">
        <Count {...count} period={period} />
      </div>
    </FormFrame>
  );
}

export function BackfillForm({ cron, onClose }: BackfillFormProps) {
  const initial = useLatestPeriod(cron);
  return initial ? <PeriodForm cron={cron} initial={initial} onClose={onClose} /> : <Skeleton label="period" />;
}
