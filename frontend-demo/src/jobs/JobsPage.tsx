/** The jobs, live, with a filter that is in the address. */
import { useMemo } from 'react';
import { useSearchParams } from 'react-router';
import { useSession } from '../app/session';
import { BulkProgress } from '../bulk/BulkProgress';
import { FormDialog } from '../ui/FormDialog';
import { LiveNotice } from '../ui/LiveNotice';
import { Page } from '../ui/Page';
import { Skeleton } from '../ui/Skeleton';
import { countText, totalOf } from './counts';
import { readFilter, serverFilter, writeFilter } from './filter';
import type { JobsFilter } from './filter';
import { JobList } from './JobList';
import { JobsFoot } from './JobsFoot';
import { useJobsFeed } from './jobsFeed';
import { JobsToolbar } from './JobsToolbar';
import { NewerJobs } from './NewerJobs';
import { NoJobs } from './NoJobs';
import { ScheduleJobForm } from './ScheduleJobForm';
import { SelectionBar } from './select/SelectionBar';
import { useSelection } from './select/useSelection';
import { withArgs } from './shown';
import { useHeldJobs } from './useHeldJobs';
import { useJobCounts } from './useJobCounts';

/** Who has scrolled far gets more at a time. */
function pagesAfter(loaded: number): number {
  return Math.min(Math.ceil(loaded / 1_000), 10);
}

function useFilter(): [JobsFilter, (filter: JobsFilter) => void] {
  const [address, setAddress] = useSearchParams();
  const text = address.toString();
  const filter = useMemo(() => readFilter(address), [text]);
  return [filter, (next) => setAddress(writeFilter(next), { replace: next.args !== filter.args })];
}

function ScheduleButton() {
  const { viewer } = useSession();
  return (
    <FormDialog action="Schedule job" title="Schedule a job" name="schedule job" className="primary" disabled={!viewer.functions}>
      {(close) => <ScheduleJobForm functions={viewer.functions ?? []} onClose={close} />}
    </FormDialog>
  );
}

export default function JobsPage() {
  const [filter, setFilter] = useFilter();
  const which = serverFilter(filter);
  const feed = useJobsFeed(which);
  const held = useHeldJobs(feed);
  const { view, hasOlder, older, loadOlder } = feed;
  const jobs = useMemo(() => withArgs(held.jobs, filter.args), [held.jobs, filter.args]);
  const selecting = useSelection(feed.key, jobs);
  const isLoading = view.status === 'loading';
  const counts = useJobCounts(which, view.changes);
  const total = totalOf(counts, filter.state);
  const loadNear = (): void => {
    if (hasOlder && older === 'idle' && filter.args === '') void loadOlder(pagesAfter(view.rows.length));
  };
  return (
    <Page title="Jobs" note={<span className="count">{total && countText(total)}</span>} actions={<ScheduleButton />}>
      <div className="card long">
        <JobsToolbar counts={counts} held={held} filter={filter} onFilter={setFilter} selecting={selecting} />
        <SelectionBar selecting={selecting} jobs={jobs} />
        <BulkProgress />
        <LiveNotice view={view} />
        {isLoading && !view.error && <Skeleton label="jobs" />}
        {!isLoading && jobs.length === 0 && <NoJobs filter={filter} onFilter={setFilter} />}
        <NewerJobs count={held.newer} />
        {jobs.length > 0 && (
          <JobList key={feed.key} jobs={jobs} selecting={selecting} onNearEnd={loadNear} onScrolled={held.hold} />
        )}
        <JobsFoot feed={feed} found={filter.args === '' ? null : jobs.length} />
      </div>
    </Page>
  );
}
