/** The recurring tasks, live: their runs, their drift, and when they run next. */
import { useLiveQuery } from 'ostinato-client/urql';
import { DeleteTaskDocument, RecurringTasksChangedDocument, StopTaskDocument } from '../generated';
import type { TaskRowFragment } from '../generated';
import { formatDuration, formatRounded } from '../time/format';
import { Since, Until } from '../time/Instant';
import { Actions, action } from '../ui/Actions';
import { Chip } from '../ui/Chip';
import { LiveNotice } from '../ui/LiveNotice';
import { Page } from '../ui/Page';
import { Skeleton } from '../ui/Skeleton';
import { Table } from '../ui/Table';
import type { Column } from '../ui/Table';

function TaskState({ task }: { task: TaskRowFragment }) {
  const [warning] = task.warnings;
  if (warning) return <Chip tone="tone-failed">{warning.message}</Chip>;
  return <Chip tone={task.enabled ? 'tone-enabled' : 'tone-paused'}>{task.enabled ? 'Running' : 'Stopped'}</Chip>;
}

function TaskActions({ task }: { task: TaskRowFragment }) {
  const variables = { input: { recurringTaskId: task.id } };
  const actions = task.enabled
    ? [action('Stop', StopTaskDocument, variables)]
    : [action('Delete', DeleteTaskDocument, variables)];
  return <Actions actions={actions} target={`task ${task.taskId}`} />;
}

const COLUMNS: readonly Column<TaskRowFragment>[] = [
  { name: 'Task', cell: ({ taskId }) => <strong>{taskId}</strong> },
  { name: 'State', cell: (task) => <TaskState task={task} /> },
  { name: 'Function', cell: ({ functionName }) => <code>{functionName}</code> },
  { name: 'Every', cell: ({ intervalMs }) => formatDuration(intervalMs) },
  { name: 'Next', cell: ({ nextRunTime }) => (nextRunTime ? <Until at={nextRunTime} past="was due " /> : 'never') },
  { name: 'Last run', cell: ({ lastRunTime }) => (lastRunTime ? <Since at={lastRunTime} /> : 'never') },
  { name: 'Runs', numeric: true, cell: ({ runCount }) => runCount.toLocaleString() },
  { name: 'Late', numeric: true, cell: ({ lastLatenessMs: ms }) => (ms === null ? '' : formatRounded(ms)) },
  { name: 'Missed', numeric: true, cell: ({ skippedTicks }) => skippedTicks.toLocaleString() },
  { name: '', cell: (task) => <TaskActions task={task} /> },
];

function byName(a: TaskRowFragment, b: TaskRowFragment): number {
  return a.taskId.localeCompare(b.taskId);
}

export default function TasksPage() {
  const view = useLiveQuery(RecurringTasksChangedDocument, {}, { order: byName });
  return (
    <Page title="Recurring tasks" note={view.status === 'live' && <span className="count">{view.rows.length}</span>}>
      <LiveNotice view={view} />
      <div className="card">
        {view.status === 'loading' ? (
          !view.error && <Skeleton label="recurring tasks" />
        ) : (
          <Table
            label="Recurring tasks"
            columns={COLUMNS}
            rows={view.rows}
            keyOf={({ id }) => id}
            empty="No recurring tasks. Start one on the playground, or with the mutation startRecurringTask."
          />
        )}
      </div>
    </Page>
  );
}
