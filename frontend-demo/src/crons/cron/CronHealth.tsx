/** Whether a cron does what it should: its last tick, failures in a row, and planned against run ticks. */
import type { ReactNode } from 'react';
import type { CronDetailsFragment } from '../../generated';
import { formatRounded } from '../../time/format';
import { Facts } from '../../ui/Facts';
import { describeTick } from './ticks';

type Health = CronDetailsFragment['health'];

const NOT_RUN = ['skipped', 'missed', 'coalesced', 'canceled'] as const;

function countsText({ counts }: Health): string {
  const others = NOT_RUN.filter((name) => counts[name] > 0).map((name) => `${counts[name].toLocaleString()} ${name}`);
  const ran = `${counts.ran.toLocaleString()} of ${counts.planned.toLocaleString()} ran`;
  return [ran, ...others].join(', ');
}

export function CronHealth({ health }: { health: Health }) {
  const { lastTick, failuresInARow, lateness } = health;
  const failures = failuresInARow === 0 ? 'none' : <span className="issue">{failuresInARow.toLocaleString()}</span>;
  const late = lateness && `${formatRounded(lateness.p50Ms)} median, ${formatRounded(lateness.p95Ms)} p95`;
  const facts: [string, ReactNode][] = [
    ['Last tick', lastTick ? describeTick(lastTick) : 'none yet'],
    ['Failures in a row', failures],
    ['Ticks', countsText(health)],
    ['Lateness', late ?? 'unknown'],
  ];
  return <Facts facts={facts} />;
}
