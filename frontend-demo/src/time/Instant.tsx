/** Relative times that update; the tooltip shows the exact time. */
import { useNow } from './now';
import { formatExact, formatExpected, formatSince, formatUntil } from './format';

export type InstantProps = {
  at: string;
  before?: string;
  /** In place of `before` when the time has passed: `was due `. */
  past?: string;
};
type Format = (at: number, now: number) => string;

export function Instant({ at, before = '', past = before, format }: InstantProps & { format: Format }) {
  const now = useNow();
  const instant = Date.parse(at);
  const text = format(instant, now);
  return (
    <time dateTime={at} title={formatExact(instant)}>
      {text.endsWith(' ago') ? past : before}
      {text}
    </time>
  );
}

export function Since(props: InstantProps) {
  return <Instant {...props} format={formatSince} />;
}

export function Until(props: InstantProps) {
  return <Instant {...props} format={formatUntil} />;
}

/** For what has not happened yet, also if it should have. */
export function Expected(props: InstantProps) {
  return <Instant {...props} format={formatExpected} />;
}
