/** Texts for moments and durations, also short ones: `in 5 s`, `3 min ago`, `2 h`. */
import { counted } from '../ui/counted';

const UNITS = [
  { name: 'd', ms: 86_400_000 },
  { name: 'h', ms: 3_600_000 },
  { name: 'min', ms: 60_000 },
  { name: 's', ms: 1_000 },
] as const;

/** In the largest unit that fits, rounded down. */
function coarse(ms: number): string {
  const unit = UNITS.find((candidate) => ms >= candidate.ms);
  return unit ? `${Math.floor(ms / unit.ms)} ${unit.name}` : '0 s';
}

/** For a past instant; one in the future of this clock is `just now`. */
export function formatSince(at: number, now: number): string {
  return now - at < 1_000 ? 'just now' : `${coarse(now - at)} ago`;
}

/** For what is expected and has not happened yet: `in 5 s`, or `now` if its time has come. */
export function formatExpected(at: number, now: number): string {
  return at > now ? formatUntil(at, now) : 'now';
}

/** For a due time; an overdue one is `… ago`. */
export function formatUntil(at: number, now: number): string {
  if (Math.abs(at - now) < 1_000) return 'now';
  return at > now ? `in ${coarse(at - now)}` : formatSince(at, now);
}

/** Exact: 1500 is `1.5 s`, 5400000 is `1.5 h`, 61000 is `61 s`. */
export function formatDuration(ms: number): string {
  const unit = UNITS.find((candidate) => ms >= candidate.ms && Number.isInteger((ms / candidate.ms) * 10));
  return unit ? `${ms / unit.ms} ${unit.name}` : `${ms} ms`;
}

const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' } as const;
const MOMENT = { weekday: 'short', year: 'numeric', month: 'short', day: 'numeric', ...CLOCK } as const;

const clock = new Intl.DateTimeFormat(undefined, CLOCK);
/** By time zone: making one takes long. */
const moments = new Map<string | undefined, Intl.DateTimeFormat>();

/** A zone that this browser does not know, or that is not complete yet, is ignored. */
function momentIn(zone: string | undefined): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat(undefined, { ...MOMENT, timeZone: zone });
  } catch {
    return new Intl.DateTimeFormat(undefined, MOMENT);
  }
}

/** A moment, completely: `Thu, Jan 31, 2030, 12:00:05`; in the browser's time zone unless another is given. */
export function formatExact(at: number, zone?: string): string {
  const format = moments.get(zone) ?? momentIn(zone);
  moments.set(zone, format);
  return format.format(at);
}

/** Only the time of a moment: `12:00:05`. */
export function formatClock(at: number): string {
  return clock.format(at);
}

const WORDS = [
  { name: 'year', ms: 365 * 86_400_000 },
  { name: 'day', ms: 86_400_000 },
  { name: 'hour', ms: 3_600_000 },
  { name: 'minute', ms: 60_000 },
  { name: 'second', ms: 1_000 },
  { name: 'millisecond', ms: 1 },
] as const;

/** A duration in words, exactly: 90000 is `1.5 minutes`, 157680000000 is `5 years`. */
export function inWords(ms: number): string {
  const unit = WORDS.find((candidate) => ms >= candidate.ms && Number.isInteger((ms / candidate.ms) * 10)) ?? WORDS[5];
  return counted(ms / unit.ms, unit.name);
}

/** With two digits: 1234 is `1.2 s`, 0.5 is `0.5 ms`. */
export function formatRounded(ms: number): string {
  const unit = UNITS.find((candidate) => ms >= candidate.ms) ?? { name: 'ms', ms: 1 };
  return `${Number((ms / unit.ms).toPrecision(2)).toLocaleString()} ${unit.name}`;
}
