/** The buttons to pause or resume a cron, and to delete it after a second click. */
import { useState } from 'react';
import { useMutation } from 'urql';
import { ActionButton } from '../form/ActionButton';
import { DeleteCronDocument, PauseCronDocument, ResumeCronDocument } from '../generated';
import type { Cron } from './cronsFeed';

function PauseOrResume({ cron }: { cron: Cron }) {
  const document = cron.enabled ? PauseCronDocument : ResumeCronDocument;
  const [{ fetching, error }, change] = useMutation<unknown, { input: { cronId: string } }>(document);
  return (
    <ActionButton
      label={cron.enabled ? 'Pause' : 'Resume'}
      target={`cron ${cron.name}`}
      error={error}
      disabled={fetching}
      onClick={() => void change({ input: { cronId: cron.id } })}
    />
  );
}

function DeleteCron({ cron }: { cron: Cron }) {
  const [{ fetching, error }, remove] = useMutation(DeleteCronDocument);
  const [asked, setAsked] = useState(false);
  return (
    <span onBlur={() => setAsked(false)}>
      <ActionButton
        label={asked ? 'Really delete?' : 'Delete'}
        target={`cron ${cron.name}`}
        error={error}
        disabled={fetching}
        danger={asked}
        onClick={() => (asked ? void remove({ input: { cronId: cron.id } }) : setAsked(true))}
      />
    </span>
  );
}

export function CronActions({ cron }: { cron: Cron }) {
  return (
    <span className="row-actions">
      <PauseOrResume cron={cron} />
      <DeleteCron cron={cron} />
    </span>
  );
}
