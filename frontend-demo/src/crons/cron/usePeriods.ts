/** Reads which period a backfill can run, and how many ticks a period has. */
import { useEffect, useState } from 'react';
import type { CombinedError } from '@urql/core';
import { useClient, useQuery } from 'urql';
import type { FormIssues } from '../../form/issues';
import { useDebounced } from '../../form/useDebounced';
import { PreviewDocument } from '../../generated';
import type { CronDetailsFragment } from '../../generated';
import { countIn, issueOf, latestPeriod, ticksInput } from './backfill';
import type { Period } from './backfill';

const MINUTE_MS = 60_000;

/** The newest period that can be run; null until it is known. */
export function useLatestPeriod(cron: CronDetailsFragment): Period | null {
  const client = useClient();
  const [period, setPeriod] = useState<Period | null>(null);
  useEffect(() => {
    const now = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
    const readTicks = async (from: string) => {
      const { data } = await client.query(PreviewDocument, { input: ticksInput(cron, from) }).toPromise();
      return data?.previewTicks ?? [];
    };
    void latestPeriod(cron, now, readTicks).then(setPeriod);
  }, [cron.id]);
  return period;
}

export type CountedTicks = {
  /** How many ticks the period has, and whether they are too many; undefined until those of this period are counted. */
  ticks?: { count: number; issue: FormIssues | null };
  /** Why they cannot be counted. */
  error?: CombinedError;
};

export function useTicks(cron: CronDetailsFragment, period: Period | null): CountedTicks {
  const key = JSON.stringify(period);
  const settled = useDebounced(period, key);
  const [{ data, error, fetching }] = useQuery({
    query: PreviewDocument,
    variables: { input: settled ? ticksInput(cron, settled.from) : {} },
    pause: settled === null,
  });
  if (settled === null || fetching || JSON.stringify(settled) !== key) return {};
  if (error) return { error };
  if (!data?.previewTicks) return {};
  return { ticks: { count: countIn(data.previewTicks, settled), issue: issueOf(data.previewTicks, settled) } };
}
