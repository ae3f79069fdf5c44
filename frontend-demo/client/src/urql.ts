/** Live lists for React with urql. */
import { createRequest, useClient } from 'urql';
import type { AnyVariables, Client, DocumentInput, OperationResult } from 'urql';
import { requireAfter } from './document.js';
import { NEWEST_JOBS, firstOf, newestFirst } from './jobs.js';
import type { LiveJobsData } from './jobs.js';
import type { LiveSink, LiveSource, LiveView } from './liveList.js';
import type { LiveData, RowOf } from './message.js';
import { useLiveList } from './react.js';
import type { LiveHookOptions } from './react.js';

export type { LiveHookOptions, LiveView };

/**
 * Follow the objects of a subscription, with the fields that it selects. Pass all variables except
 * `after`.
 */
export function useLiveQuery<Data extends LiveData, Variables extends AnyVariables>(
  document: DocumentInput<Data, Variables>,
  variables: Omit<Variables, 'after'>,
  options: LiveHookOptions<RowOf<Data>> = {},
): LiveView<RowOf<Data>> {
  const client = useClient();
  const keys = [client, document, JSON.stringify(variables)];
  return useLiveList(urqlSource(client, document, variables), keys, options);
}

/**
 * Follow the newest jobs, 100 by default. The document declares `$first: Int` and selects
 * `createdAt`.
 */
export function useLiveJobs<Data extends LiveJobsData, Variables extends AnyVariables>(
  document: DocumentInput<Data, Variables>,
  variables: Omit<Variables, 'after' | 'first'>,
  { limit = NEWEST_JOBS, skip }: Omit<LiveHookOptions<never>, 'order'> = {},
): LiveView<RowOf<Data>> {
  const all = { ...variables, ...firstOf(limit) } as unknown as Omit<Variables, 'after'>;
  return useLiveQuery(document, all, { limit, skip, order: newestFirst });
}

let lastKey = 0;

/**
 * Return a source that subscribes with an urql client. Each start has a key of its own: urql would
 * let equal operations share one subscription, and the later list would miss the snapshot.
 */
export function urqlSource<Data, Variables extends AnyVariables>(
  client: Client,
  document: DocumentInput<Data, Variables>,
  variables: Omit<Variables, 'after'>,
): LiveSource<Data> {
  requireAfter(document as string | object);
  return (after, sink) => {
    const all = (after === null ? variables : { ...variables, after }) as Variables;
    const request = { ...createRequest(document, all), key: --lastKey }; // urql's own keys are positive
    const { unsubscribe } = client.executeSubscription(request).subscribe(forwardTo(sink));
    return unsubscribe;
  };
}

function forwardTo<Data>(sink: LiveSink<Data>): (result: OperationResult<Data>) => void {
  const seen = new Set<object>();
  return ({ data, error, hasNext }) => {
    // urql repeats an error in all later results.
    const errors = error?.graphQLErrors.filter((problem) => !seen.has(problem)) ?? [];
    errors.forEach((problem) => seen.add(problem));
    if (error?.networkError) sink.error(error.networkError);
    else if (hasNext || errors.length > 0) sink.next({ data, errors });
    else sink.complete();
  };
}
