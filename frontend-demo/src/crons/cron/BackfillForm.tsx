/** The form that runs the ticks of a past period which have not run. */
import { useState } from 'react';
import { useMutation, useQuery } from 'urql';
import { Field } from '../../form/Field';
import { FormFrame } from '../../form/FormFrame';
import { NO_ISSUES, fieldIssue, toFormIssues } from '../../form/issues';
import { useDebounced } from '../../form/useDebounced';
import { BackfillCronDocument, PreviewDocument } from '../../generated';
import type { CronDetailsFragment } from '../../generated';
import { toLocal } from '../../time/local';
import { counted } from '../../ui/counted';
import { useToasts } from '../../ui/Toasts';
import { readInstant } from '../form/values';
import { MAX_TICKS, countIn, countInput } from './backfill';
import type { Period } from './backfill';

const DAY_MS = 86_400_000;

type BackfillFormProps = { cron: CronDetailsFragment; onClose: () => void };

/** How many ticks the period has; nothing for an incomplete one. */
function Count({ cron, period }: { cron: CronDetailsFragment; period: Period | null }) {
  const settled = useDebounced(period, JSON.stringify(period));
  const [{ data, fetching }] = useQuery({
    query: PreviewDocument,
    variables: { input: settled ? countInput(cron, settled) : {} },
    pause: settled === null,
  });
  if (settled === null) return <p className="hint">Enter a period that has ended.</p>;
  if (!data?.previewTicks || fetching) return <p className="hint">Counting…</p>;
  const count = countIn(data.previewTicks, settled);
  if (count > MAX_TICKS) return <p className="issue">More than {MAX_TICKS} ticks: choose a shorter period.</p>;
  return (
    <p>
      <strong>{counted(count, 'tick')}</strong>
      <span className="hint"> Those that have run are not run again.</span>
    </p>
  );
}

function readPeriod(values: FormData): Period | null {
  const [from, to] = [readInstant(values, 'from'), readInstant(values, 'to')];
  return from !== null && to !== null && from < to ? { from, to } : null;
}

export function BackfillForm({ cron, onClose }: BackfillFormProps) {
  const [initial] = useState<Period>(() => {
    const now = Math.floor(Date.now() / 60_000) * 60_000;
    return { from: new Date(now - DAY_MS).toISOString(), to: new Date(now).toISOString() };
  });
  const [{ fetching }, start] = useMutation(BackfillCronDocument);
  const [issues, setIssues] = useState(NO_ISSUES);
  const [period, setPeriod] = useState<Period | null>(initial);
  const toasts = useToasts();
  const submit = async (values: FormData): Promise<void> => {
    const entered = readPeriod(values);
    if (!entered) return setIssues(fieldIssue('from', 'Enter a start that is before the end.'));
    const { data, error } = await start({ input: { cronId: cron.id, ...entered } });
    setIssues(error ? toFormIssues(error, ['from', 'to']) : NO_ISSUES);
    const done = data?.backfillCron;
    if (!done) return;
    toasts.add({ title: `Started ${counted(done.started, 'run')}`, description: `${counted(done.alreadyRan, 'tick')} had run already.` });
    onClose();
  };
  return (
    <FormFrame
      label="Run ticks of the past"
      action="Run them"
      sending={fetching}
      issues={issues}
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
        <Count cron={cron} period={period} />
      </div>
    </FormFrame>
  );
}
