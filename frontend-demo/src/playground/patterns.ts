/** What the playground runs: one entry for each pattern, with the variables of its mutation. */
import type { Client, CombinedError } from '@urql/core';
import {
  AskPersonDocument,
  RegisterCronDocument,
  RunBatchDocument,
  ScheduleJobDocument,
  StartTaskDocument,
} from '../generated';

type Outcome = { error?: CombinedError | undefined; requestId?: string | undefined };

export type Pattern = {
  name: string;
  /** What will happen. */
  text: string;
  /** Where it can be followed, beside the jobs on the page itself. */
  page?: { to: string; title: string };
  run: (client: Client) => Promise<Outcome>;
};

const MINUTE_MS = 60_000;
const TAGS = ['playground'];
const FAILURES = { to: '/failures', title: 'Failures' };

/** Names must be unique, so that each button works again. */
function unique(name: string): string {
  return `${name} ${Date.now().toString(36)}`;
}

function schedule(functionName: string, args: object, runAfterMs = 0): Pattern['run'] {
  return (client) =>
    client.mutation(ScheduleJobDocument, { input: { functionName, args, runAfterMs, tags: TAGS } }).toPromise();
}

function call(flakyUrl: string, failures: number): Pattern['run'] {
  return (client) => {
    const url = `${flakyUrl}?key=${encodeURIComponent(unique('playground'))}&failures=${failures}`;
    return schedule('actions.retryableAction', { data: { url } })(client);
  };
}

async function ask(client: Client): Promise<Outcome> {
  const input = { data: { question: 'Ship it?' }, timeoutMs: MINUTE_MS, runHandler: false };
  const { data, error } = await client.mutation(AskPersonDocument, { input }).toPromise();
  return { error, requestId: data?.createWithTimeout?.requestId };
}

const PATTERNS: readonly Pattern[] = [
  {
    name: 'Run a job',
    text: 'A job that runs at once.',
    run: schedule('tasks.runTask', { name: 'now' }),
  },
  {
    name: 'Schedule a job',
    text: 'It is pending for ten seconds, then it runs. You can cancel it before.',
    run: schedule('tasks.runTask', { name: 'in ten seconds' }, 10_000),
  },
  {
    name: 'Fail',
    text: 'The job fails, because it calls a host that is not allowed. You can retry it with other arguments.',
    page: FAILURES,
    run: schedule('actions.retryableAction', { data: { url: 'https://not-allowed.example/' } }),
  },
  {
    name: 'Register a cron',
    text: 'It ticks every two seconds, and ends after a minute.',
    page: { to: '/crons', title: 'Crons' },
    run: (client) => {
      const endAt = new Date(Date.now() + MINUTE_MS).toISOString();
      const name = unique('playground');
      return client
        .mutation(RegisterCronDocument, { input: { name, intervalMs: 2_000, endAt, tags: TAGS } })
        .toPromise();
    },
  },
  {
    name: 'Start a recurring task',
    text: 'The task "playground" runs every three seconds until it is stopped.',
    page: { to: '/tasks', title: 'Recurring tasks' },
    run: (client) => {
      const input = { taskId: 'playground', intervalMs: 3_000, args: { name: 'recurring' } };
      return client.mutation(StartTaskDocument, { input }).toPromise();
    },
  },
  {
    name: 'Process a batch',
    text: 'Ten items, two at a time, with a second between the pages.',
    page: { to: '/batches', title: 'Batches' },
    run: (client) => {
      const items = { items: Array.from({ length: 10 }, (_, index) => `item ${index + 1}`) };
      return client.mutation(RunBatchDocument, { items, batch: { batchSize: 2, delayMs: 1_000 } }).toPromise();
    },
  },
  {
    name: 'Ask a person',
    text: 'A request that you answer here within a minute. Later answers are kept and marked as late.',
    page: { to: '/requests', title: 'Requests' },
    run: ask,
  },
];

/** Only a development server has an API that fails on request. */
function retriesOf(flakyUrl: string): Pattern[] {
  return [
    {
      name: 'Recover from failures',
      text: 'The first two calls of an API fail; it is called again after 1 s and 2 s, and then succeeds.',
      run: call(flakyUrl, 2),
    },
    {
      name: 'Fail for good',
      text: 'All four calls fail, after 1, 2 and 4 s, each in a job of its own. Then the failure is recorded.',
      page: FAILURES,
      run: call(flakyUrl, 99),
    },
  ];
}

export function patternsOf(flakyUrl: string | null): Pattern[] {
  return [...PATTERNS, ...(flakyUrl === null ? [] : retriesOf(flakyUrl))];
}
