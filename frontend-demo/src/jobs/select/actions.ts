/** What can be done with the selected jobs: one bulk action for those of each owner. */
import type { AnyVariables, DocumentInput } from '@urql/core';
import { CancelJobsDocument, RescheduleJobsDocument, RetryJobsDocument } from '../../generated';
import type { JobFilter } from '../../generated';
import type { Action } from '../../ui/Actions';
import type { Job } from '../jobsFeed';

export type SelectedJobs = readonly Pick<Job, 'id' | 'owner'>[];

/** Return a filter for the jobs of each owner; those of the system can be changed only one by one. */
export function filtersOf(jobs: SelectedJobs): JobFilter[] {
  const owners = [...new Set(jobs.map(({ owner }) => owner))].filter((owner) => owner !== null);
  return owners.map((owner) => ({ owner, ids: jobs.filter((job) => job.owner === owner).map(({ id }) => id) }));
}

function bulk<Data, Variables extends AnyVariables>(
  label: string,
  document: DocumentInput<Data, Variables>,
  variables: readonly Variables[],
): Action {
  return {
    label,
    run: async (client) => {
      const results = await Promise.all(variables.map((each) => client.mutation(document, each).toPromise()));
      return { error: results.find(({ error }) => error)?.error };
    },
  };
}

export function cancelSelected(jobs: SelectedJobs): Action {
  return bulk('Cancel', CancelJobsDocument, filtersOf(jobs).map((filter) => ({ filter })));
}

export function retrySelected(jobs: SelectedJobs): Action {
  return bulk('Retry', RetryJobsDocument, filtersOf(jobs).map((filter) => ({ filter })));
}

export function rescheduleSelected(jobs: SelectedJobs, runAt: string): Action {
  return bulk('Reschedule', RescheduleJobsDocument, filtersOf(jobs).map((filter) => ({ filter, runAt })));
}
