/** The pages of the application: their addresses, titles and places in the navigation. */
import { lazy } from 'react';
import type { ComponentType } from 'react';
import {
  BellRing,
  Boxes,
  CalendarClock,
  ChartColumn,
  CircleX,
  Layers,
  ListChecks,
  MessageCircleQuestionMark,
  Repeat,
  Server,
  Shapes,
} from 'lucide-react';
import type { LucideIcon } from 'lucide-react';

export type PageEntry = {
  /** The address, without the leading slash. */
  path: string;
  title: string;
  icon: LucideIcon;
  page: ComponentType;
  /** Whether only admins see it. */
  admin?: boolean;
};

export const PAGES: readonly PageEntry[] = [
  {
    path: 'overview',
    title: 'Overview',
    icon: ChartColumn,
    page: lazy(() => import('../overview/OverviewPage')),
  },
  {
    path: 'jobs',
    title: 'Jobs',
    icon: ListChecks,
    page: lazy(() => import('../jobs/JobsPage')),
  },
  { path: 'failures', title: 'Failures', icon: CircleX, page: lazy(() => import('../failures/FailuresPage')) },
  {
    path: 'crons',
    title: 'Crons',
    icon: CalendarClock,
    page: lazy(() => import('../crons/CronsPage')),
  },
  { path: 'tasks', title: 'Recurring tasks', icon: Repeat, page: lazy(() => import('../tasks/TasksPage')) },
  { path: 'batches', title: 'Batches', icon: Boxes, page: lazy(() => import('../batches/BatchesPage')) },
  {
    path: 'requests',
    title: 'Requests',
    icon: MessageCircleQuestionMark,
    page: lazy(() => import('../requests/RequestsPage')),
  },
  { path: 'alerts', title: 'Alerts', icon: BellRing, page: lazy(() => import('../alerts/AlertsPage')) },
  { path: 'queues', title: 'Queues', icon: Layers, page: lazy(() => import('../queues/QueuesPage')), admin: true },
  { path: 'workers', title: 'Workers', icon: Server, page: lazy(() => import('../workers/WorkersPage')), admin: true },
  {
    path: 'playground',
    title: 'Playground',
    icon: Shapes,
    page: lazy(() => import('../playground/PlaygroundPage')),
  },
];

/** Pages that are reached from others. */
export const DETAIL_PAGES: readonly { path: string; page: ComponentType }[] = [
  { path: 'crons/:id', page: lazy(() => import('../crons/cron/CronPage')) },
  { path: 'jobs/:id', page: lazy(() => import('../jobs/job/JobPage')) },
];
