/** Relative times that update; the tooltip shows the exact time. */
import { useNow } from './now';
import { since, until } from './words';

type InstantProps = { at: string; before?: string };
type Words = (at: number, now: number) => string;

function Instant({ at, before = '', words }: InstantProps & { words: Words }) {
  const now = useNow();
  const instant = new Date(at);
  return (
    <time dateTime={at} title={instant.toLocaleString()}>
      {before}
      {words(instant.getTime(), now)}
    </time>
  );
}

export function Since(props: InstantProps) {
  return <Instant {...props} words={since} />;
}

export function Until(props: InstantProps) {
  return <Instant {...props} words={until} />;
}
