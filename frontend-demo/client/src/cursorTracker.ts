/** The cursor of one subscription, and the form of its messages. */
import type { Result } from './result.js';

type Message = { cursor: string } & Record<string, unknown>;

export class CursorTracker {
  /** The newest message's; null before the first message, and after the cursor was rejected. */
  cursor: string | null = null;
  /** Whether a cursor was rejected: then the caller's own is not sent either. */
  restarted = false;
  #field = '';
  #message: Message | null = null;

  track({ data }: Result): void {
    for (const [field, message] of Object.entries(data ?? {})) {
      if (!hasCursor(message)) continue;
      this.cursor = message.cursor;
      this.#field = field;
      this.#message = message;
    }
  }

  /** Forget the cursor, and return a RESET for the receiver. */
  reset(): Result {
    const { cursor } = this;
    this.cursor = null;
    this.restarted = true;
    const shape = Object.keys(this.#message ?? {}).map((name) => [name, null]);
    const __typename = this.#message?.['__typename'];
    const message = { ...Object.fromEntries(shape), kind: 'RESET', cursor };
    return { data: { [this.#field]: __typename ? { ...message, __typename } : message } };
  }
}

function hasCursor(message: unknown): message is Message {
  return typeof (message as Message | null)?.cursor === 'string';
}
