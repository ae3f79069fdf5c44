/** When the next tick of a cron is due. */
import { Instant } from '../time/Instant';
import type { InstantProps } from '../time/Instant';
import { formatNextTick } from './attention';

export function NextTick(props: InstantProps) {
  return <Instant {...props} format={formatNextTick} />;
}
