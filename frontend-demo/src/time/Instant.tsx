/** Relative times that update; the tooltip shows the exact time. */
import { useNow } from './now';
import { formatSince, formatUntil } from './format';

export type InstantProps = { at: string; before?: string };
type Format = (at: number, now: number) => string;

export function Instant({ at, before = '', format }: InstantProps & { format: Format }) {
  const now = useNow();
  const instant = new Date(at);
  return (
    <time dateTime={at} title={instant.toLocaleString()}>
      {before}
      {format(instant.getTime(), now)}
    </time>
  );
}

export function Since(props: InstantProps) {
  return <Instant {...props} format={formatSince} />;
}

export function Until(props: InstantProps) {
  return <Instant {...props} format={formatUntil} />;
}
