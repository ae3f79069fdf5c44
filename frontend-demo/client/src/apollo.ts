/** Live lists for React with Apollo Client. */
import type { ApolloClient, OperationVariables, TypedDocumentNode } from '@apollo/client';
import { useApolloClient } from '@apollo/client/react';
import { requireAfter } from './document.js';
import { NEWEST_JOBS, firstOf, newestFirst } from './jobs.js';
import type { LiveJobsData } from './jobs.js';
import type { LiveSink, LiveSource, LiveView } from './liveList.js';
import type { LiveData, RowOf } from './message.js';
import { useLiveList } from './react.js';
import type { LiveHookOptions as HookOptions } from './react.js';
import type { Problem } from './result.js';

export type { LiveView };

export type LiveHookOptions<Row> = HookOptions<Row> & {
  /**
   * `no-cache` keeps the objects out of Apollo's cache, where they stay after they have left the
   * list.
   */
  fetchPolicy?: 'no-cache' | undefined;
};

/**
 * Follow the objects of a subscription, with the fields that it selects. Pass all variables except
 * `after`.
 */
export function useLiveQuery<Data extends LiveData, Variables extends OperationVariables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Omit<Variables, 'after'>,
  { fetchPolicy, ...options }: LiveHookOptions<RowOf<Data>> = {},
): LiveView<RowOf<Data>> {
  const client = useApolloClient();
  const keys = [client, document, JSON.stringify(variables), fetchPolicy];
  return useLiveList(apolloSource(client, document, variables, fetchPolicy), keys, options);
}

/**
 * Follow the newest jobs, 100 by default. The document declares `$first: Int` and selects
 * `createdAt`.
 */
export function useLiveJobs<Data extends LiveJobsData, Variables extends OperationVariables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Omit<Variables, 'after' | 'first'>,
  { limit = NEWEST_JOBS, ...options }: Omit<LiveHookOptions<never>, 'order'> = {},
): LiveView<RowOf<Data>> {
  const all = { ...variables, ...firstOf(limit) } as unknown as Omit<Variables, 'after'>;
  return useLiveQuery(document, all, { ...options, limit, order: newestFirst });
}

/**
 * Return a source that subscribes with an Apollo client. Deduplication is off: a list that shared
 * another's subscription would miss the snapshot. The error policy `all` keeps data beside errors.
 */
export function apolloSource<Data, Variables extends OperationVariables>(
  client: ApolloClient,
  query: TypedDocumentNode<Data, Variables>,
  variables: Omit<Variables, 'after'>,
  fetchPolicy: 'no-cache' | undefined,
): LiveSource<Data> {
  requireAfter(query);
  return (after, sink) => {
    const options = {
      query,
      variables: after === null ? variables : { ...variables, after },
      context: { queryDeduplication: false },
      errorPolicy: 'all',
      ...(fetchPolicy && { fetchPolicy }),
    } as unknown as ApolloClient.SubscribeOptions<Data, Variables>;
    const subscription = client.subscribe(options).subscribe({
      next: (result) => forward(result as ApolloClient.SubscribeResult<Data>, sink),
      error: sink.error,
      complete: sink.complete,
    });
    return () => subscription.unsubscribe();
  };
}

function forward<Data>(
  { data, error }: ApolloClient.SubscribeResult<Data>,
  sink: LiveSink<Data>,
): void {
  const problems = (error as { errors?: readonly Problem[] } | undefined)?.errors;
  if (!error) sink.next({ data });
  else if (data && problems) sink.next({ data, errors: problems });
  else sink.error(problems ?? error);
}
