/** The messages of Ostinato's `…Changed` subscriptions, and the type of their objects. */

/** The fields that every object of a live list must select. */
export type Versioned = { id: string; version: number };

type Selected<Id extends string, Name extends string> =
  | ({ kind: string; cursor: string } & { [Key in Id]?: string | null } & {
      [Key in Name]?: Versioned | null;
    })
  | null;

/**
 * What a subscription must select: `kind`, `cursor`, the object's id, and the object with `id` and
 * `version`.
 */
export type LiveData = {
  jobsChanged?: Selected<'jobId', 'job'>;
  jobChanged?: Selected<'jobId', 'job'>;
  jobTreeChanged?: Selected<'jobId', 'job'>;
  cronsChanged?: Selected<'cronId', 'cron'>;
  cronTicksChanged?: Selected<'cronTickId', 'cronTick'>;
  recurringTasksChanged?: Selected<'taskId', 'recurringTask'>;
  requestsChanged?: Selected<'requestId', 'request'>;
  batchesChanged?: Selected<'batchId', 'batch'>;
  failuresChanged?: Selected<'failureId', 'failure'>;
  requestChanged?: Selected<'requestId', 'request'>;
  batchChanged?: Selected<'batchId', 'batch'>;
  bulkActionsChanged?: Selected<'bulkActionId', 'bulkAction'>;
  alertsChanged?: Selected<'alertId', 'alert'>;
};

type Root = keyof LiveData;
type Field = { id: string; object: string; endsWithLeft: boolean };

/** By root field. */
export const FIELDS = {
  jobsChanged: { id: 'jobId', object: 'job', endsWithLeft: false },
  jobChanged: { id: 'jobId', object: 'job', endsWithLeft: true },
  jobTreeChanged: { id: 'jobId', object: 'job', endsWithLeft: false },
  cronsChanged: { id: 'cronId', object: 'cron', endsWithLeft: false },
  cronTicksChanged: { id: 'cronTickId', object: 'cronTick', endsWithLeft: false },
  recurringTasksChanged: { id: 'taskId', object: 'recurringTask', endsWithLeft: false },
  requestsChanged: { id: 'requestId', object: 'request', endsWithLeft: false },
  batchesChanged: { id: 'batchId', object: 'batch', endsWithLeft: false },
  failuresChanged: { id: 'failureId', object: 'failure', endsWithLeft: false },
  requestChanged: { id: 'requestId', object: 'request', endsWithLeft: true },
  batchChanged: { id: 'batchId', object: 'batch', endsWithLeft: true },
  bulkActionsChanged: { id: 'bulkActionId', object: 'bulkAction', endsWithLeft: false },
  alertsChanged: { id: 'alertId', object: 'alert', endsWithLeft: false },
} as const satisfies Record<Root, Field>;

type ObjectIn<Message, Name extends string> = Message extends { [Key in Name]?: infer Row }
  ? Extract<NonNullable<Row>, Versioned>
  : never;

/** The object that the subscription selects, with its selected fields. */
export type RowOf<Data> = {
  [Name in Root]: Name extends keyof Data
    ? ObjectIn<NonNullable<Data[Name]>, (typeof FIELDS)[Name]['object']>
    : never;
}[Root];

export type ChangeKind = 'SNAPSHOT' | 'READY' | 'CHANGED' | 'LEFT' | 'CHECKPOINT' | 'RESET';

/** A message, whatever its root field is called. */
export type Change<Row> = {
  kind: ChangeKind;
  cursor: string;
  /**
   * The id in the message (`jobId`); for a recurring task its `taskId`, which is unique only per
   * owner.
   */
  id: string | null;
  object: Row | null;
  /** Whether this is the subscription's last message. */
  last: boolean;
};

/**
 * Return the message in a result; null if the root field is null. Throw an Error if a field is not
 * selected.
 */
export function readChange<Row>(data: Readonly<Record<string, unknown>>): Change<Row> | null {
  const root = (Object.keys(FIELDS) as Root[]).find((name) => name in data);
  if (!root) throw new Error(`Select one of ${Object.keys(FIELDS).join(', ')}, without an alias.`);
  const message = data[root] as Record<string, unknown> | null | undefined;
  if (!message) return null;
  const field = FIELDS[root];
  const object = message[field.object] as Versioned | null | undefined;
  const isComplete = ['kind', 'cursor', field.id, field.object].every((name) => name in message);
  if (!isComplete || (object && !('id' in object && 'version' in object))) {
    throw new Error(
      `In ${root}, select kind, cursor, ${field.id} and ${field.object} { id version }.`,
    );
  }
  return {
    kind: message['kind'] as ChangeKind,
    cursor: message['cursor'] as string,
    id: message[field.id] as string | null,
    object: object as Row | null,
    last: field.endsWithLeft && message['kind'] === 'LEFT',
  };
}
