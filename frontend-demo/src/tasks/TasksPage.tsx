/** The recurring tasks, live: their rate, runs and drift, and when they run next; each can be changed, stopped and started. */
import { useLiveQuery } from 'ostinato-client/urql';
import { useSession } from '../app/session';
import { DeleteTaskDocument, RecurringTasksChangedDocument, StartTaskDocument, StopTaskDocument } from '../generated';
import type { TaskRowFragment } from '../generated';
import { formatRounded } from '../time/format';
import { Since, Until } from '../time/Instant';
import { Actions, action } from '../ui/Actions';
import { Chip } from '../ui/Chip';
import { FormDialog } from '../ui/FormDialog';
import { LiveNotice } from '../ui/LiveNotice';
import { Page } from '../ui/Page';
import { Skeleton } from '../ui/Skeleton';
import { Table } from '../ui/Table';
import type { Column } from '../ui/Table';
import { TaskForm } from './TaskForm';
import { Rate, TaskName } from './TaskCells';

function TaskState({ task }: { task: TaskRowFragment }) {
  const [warning] = task.warnings;
  if (warning) return <Chip tone="tone-failed">{warning.message}</Chip>;
  return <Chip tone={task.enabled ? 'tone-enabled' : 'tone-paused'}>{task.enabled ? 'Running' : 'Stopped'}</Chip>;
}

/** Users start only their own tasks, by name. */
function actionsOf({ id, enabled, taskId, owner, functionName, intervalMs, args }: TaskRowFragment, viewerId: string) {
  const variables = { input: { recurringTaskId: id } };
  if (enabled) return [action('Stop', StopTaskDocument, variables)];
  const again = { input: { taskId, functionName, intervalMs, args } };
  return [
    ...(owner === viewerId ? [action('Start again', StartTaskDocument, again)] : []),
    action('Delete', DeleteTaskDocument, variables, { asks: true }),
  ];
}

function TaskActions({ task }: { task: TaskRowFragment }) {
  const { viewer } = useSession();
  return (
    <span className="row-actions">
      <FormDialog action="Change…" title={`Change the task ${task.taskId}`} className="small">
        {(close) => <TaskForm task={task} onClose={close} />}
      </FormDialog>
      <Actions actions={actionsOf(task, viewer.id)} target={`task ${task.taskId}`} />
    </span>
  );
}

const COLUMNS: readonly Column<TaskRowFragment>[] = [
  { name: 'Task', cell: (task) => <TaskName task={task} /> },
  { name: 'State', cell: (task) => <TaskState task={task} /> },
  { name: 'Rate', cell: ({ intervalMs }) => <Rate intervalMs={intervalMs} /> },
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
