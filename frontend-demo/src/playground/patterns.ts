/** What the playground runs: one entry for each pattern, with the variables of its mutation. */
import type { Client, CombinedError } from '@urql/core';
import {
  AskPersonDocument,
  RegisterCronDocument,
  RunBatchDocument,
  ScheduleJobDocument,
  StartTaskDocument,
} from '../generated';
import type { Asked } from './Answer';

type Place = { to: string; title: string };

export type Outcome = {
  error?: CombinedError | undefined;
  /** Where what was started can be followed. */
  next?: Place | undefined;
  request?: Asked | undefined;
};

export type Pattern = {
  title: string;
  /** What will happen, and what to do then. */
  text: string;
  /** The text of the button. */
  name: string;
  /** Where it can be followed, beside the jobs on the page itself, until an outcome has a better place. */
  next?: Place;
  run: (client: Client) => Promise<Outcome>;
};

const MINUTE_MS = 60_000;
const TAGS = ['playground'];

/** Names must be unique, so that each button works again. */
function unique(name: string): string {
  return `${name} ${Date.now().toString(36)}`;
}

function placeOf(list: string, id: string | undefined, title: string): Place | undefined {
  return id === undefined ? undefined : { to: `/${list}/${id}`, title };
}

function schedule(functionName: string, args: object, runAfterMs = 0): Pattern['run'] {
  return async (client) => {
    const input = { functionName, args, runAfterMs, tags: TAGS };
    const { data, error } = await client.mutation(ScheduleJobDocument, { input }).toPromise();
    return { error, next: placeOf('jobs', data?.scheduleJob?.jobId, 'Open the job') };
  };
}

/** @param failures how many calls fail before one succeeds. */
function call(flakyUrl: string, failures: number): Pattern['run'] {
  return (client) => {
    const url = `${flakyUrl}?key=${encodeURIComponent(unique('playground'))}&failures=${failures}`;
    return schedule('actions.retryableAction', { data: { url } })(client);
  };
}

async function ask(client: Client): Promise<Outcome> {
  const input = { data: { question: 'Ship it?' }, timeoutMs: MINUTE_MS, runHandler: false };
  const { data, error } = await client.mutation(AskPersonDocument, { input }).toPromise();
  return { error, request: data?.createWithTimeout?.request };
}

async function registerCron(client: Client): Promise<Outcome> {
  const endAt = new Date(Date.now() + MINUTE_MS).toISOString();
  const input = { name: unique('playground'), intervalMs: 2_000, endAt, tags: TAGS };
  const { data, error } = await client.mutation(RegisterCronDocument, { input }).toPromise();
  return { error, next: placeOf('crons', data?.registerCron?.cronId, 'See its ticks') };
}

function startTask(client: Client): Promise<Outcome> {
  const input = { taskId: 'playground', intervalMs: 3_000, args: { name: 'recurring' } };
  return client.mutation(StartTaskDocument, { input }).toPromise();
}

function runBatch(client: Client): Promise<Outcome> {
  const items = { items: Array.from({ length: 60 }, (_, index) => `item ${index + 1}`) };
  return client.mutation(RunBatchDocument, { items, batch: { batchSize: 2, delayMs: 1_000 } }).toPromise();
}

const JOBS: readonly Pattern[] = [
  {
    title: 'A job',
    text: 'It runs at once: its row in the list of jobs changes while you look.',
    name: 'Run a job',
    run: schedule('tasks.runTask', { name: 'now' }),
  },
  {
    title: 'A job for later',
    text: 'It is pending for ten seconds, then it runs. Cancel in its row stops it before.',
    name: 'Schedule a job',
    run: schedule('tasks.runTask', { name: 'in ten seconds' }, 10_000),
  },
];

/** Other attempts would fail as well, so there are none; a reader of the arguments should see that. */
const ONE_CALL = { data: { url: 'https://not-allowed.example/' }, maxAttempts: 0 };

function failing(flakyUrl: string | null): Pattern {
  const remedy = flakyUrl === null ? '' : ` With the url ${flakyUrl}?failures=0 it succeeds.`;
  return {
    title: 'A job that fails at once',
    text: `It may not call its url, so it is not retried by itself. Retry on its page takes other arguments.${remedy}`,
    name: 'Fail at once',
    next: { to: '/failures', title: 'See it on Failures' },
    run: schedule('actions.retryableAction', ONE_CALL),
  };
}

const OBJECTS: readonly Pattern[] = [
  {
    title: 'A cron',
    text: 'It ticks every two seconds and ends after a minute. Each tick is a job.',
    name: 'Register a cron',
    next: { to: '/crons', title: 'Follow it on Crons' },
    run: registerCron,
  },
  {
    title: 'A recurring task',
    text: 'It runs every three seconds until it is stopped.',
    name: 'Start a recurring task',
    next: { to: '/tasks', title: 'Change or stop it on Recurring tasks' },
    run: startTask,
  },
  {
    title: 'A batch',
    text: 'Sixty items, two at a time, with a second between: half a minute.',
    name: 'Process a batch',
    next: { to: '/batches', title: 'Pause or cancel it on Batches' },
    run: runBatch,
  },
  {
    title: 'A question to a person',
    text: 'A request that waits a minute for your answer, here or on its page. Later, one answer is kept, and marked as late.',
    name: 'Ask a person',
    next: { to: '/requests', title: 'Follow it on Requests' },
    run: ask,
  },
];

/** Only a development server has an API that fails on request. */
function retriesOf(flakyUrl: string): Pattern[] {
  return [
    {
      title: 'Calls that recover',
      text: `The first two calls of an API fail; it is called again after 1 s and 2 s, and then succeeds. Each call is a job
        of its own: after a failed call, it succeeds when it has planned the next one, and is marked “Call failed”.`,
      name: 'Recover from failures',
      run: call(flakyUrl, 2),
    },
    {
      title: 'Calls that give up',
      text: `All four calls fail, with 1, 2 and 4 s between them. The last one records the failure: no job has failed, so
        there is none to retry.`,
      name: 'Retry and give up',
      next: { to: '/failures', title: 'See the failure on Failures' },
      run: call(flakyUrl, 99),
    },
  ];
}

export function patternsOf(flakyUrl: string | null): Pattern[] {
  return [...JOBS, failing(flakyUrl), ...(flakyUrl === null ? [] : retriesOf(flakyUrl)), ...OBJECTS];
}
