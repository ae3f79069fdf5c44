/** Knows where one subscription is, and the form of its messages. */

export type Problem = {
  message: string;
  extensions?: { code?: string; issues?: { path: (string | number)[] }[] };
};
export type Result = { data?: Record<string, unknown> | null; errors?: readonly Problem[] };

type Message = { cursor: string } & Record<string, unknown>;

export class Place {
  /** Behind the newest message; null before the first, and where a new snapshot is needed. */
  cursor: string | null = null;
  /** Whether a cursor was given up, so that not even the first one may be sent. */
  restarted = false;
  #field = '';
  #message: Message | null = null;

  see({ data }: Result): void {
    for (const [field, message] of Object.entries(data ?? {})) {
      if (!hasCursor(message)) continue;
      this.cursor = message.cursor;
      this.#field = field;
      this.#message = message;
    }
  }

  /** Forget the cursor, and write the message that tells the receiver to forget what it has. */
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
