/** The pages of the application: their addresses, titles and places in the navigation. */
import { lazy } from 'react';
import type { ComponentType } from 'react';
import { CalendarClock, ListChecks } from 'lucide-react';
import type { LucideIcon } from 'lucide-react';

export type PageEntry = {
  /** The address, without the leading slash; empty for the first page. */
  path: string;
  title: string;
  icon: LucideIcon;
  page: ComponentType;
  /** Whether only admins see it. */
  admin?: boolean;
};

export const PAGES: readonly PageEntry[] = [
  {
    path: 'jobs',
    title: 'Jobs',
    icon: ListChecks,
    page: lazy(() => import('../jobs/JobsPage')),
  },
  {
    path: 'crons',
    title: 'Crons',
    icon: CalendarClock,
    page: lazy(() => import('../crons/CronsPage')),
  },
];

/** Pages that are reached from others. */
export const DETAIL_PAGES: readonly { path: string; page: ComponentType }[] = [
  { path: 'jobs/:id', page: lazy(() => import('../jobs/job/JobPage')) },
];
