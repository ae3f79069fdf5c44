/** What the palette offers: pages, commands, crons, the jobs of a function, and a job by its id. */
import type { PageEntry } from '../app/pages';
import type { DialogName } from '../ui/FormDialog';

export type Place = {
  label: string;
  kind: 'Page' | 'Command' | 'Cron' | 'Function' | 'Job';
  /** The address, as for the router, or `GRAPHIQL`; undefined for a command that stays on the page. */
  to?: string;
  /** The dialog that is opened there. */
  dialog?: DialogName;
  /** What is done. */
  run?: () => void;
};

export type PlaceGroup = { value: string; items: Place[] };

/** The address of a document of its own, which the router does not know. */
export const GRAPHIQL = 'graphiql';

/** Ids of jobs are base64 of `Job:…`. */
const JOB_ID = /^Sm9iO[\w-]{20,80}={0,2}$/;

type Known = {
  pages: readonly PageEntry[];
  crons: readonly { id: string; name: string }[];
  functions: readonly { name: string }[];
  commands: readonly Place[];
};

export function placesOf({ pages, crons, functions, commands }: Known): Place[] {
  return [
    ...pages.map(({ title, path }) => ({ label: title, kind: 'Page' as const, to: `/${path}` })),
    { label: 'GraphiQL', kind: 'Page', to: GRAPHIQL },
    ...commands,
    ...crons.map(({ id, name }) => ({ label: name, kind: 'Cron' as const, to: `/crons/${id}` })),
    ...functions.map(({ name }) => ({
      label: name,
      kind: 'Function' as const,
      to: `/jobs?function=${encodeURIComponent(name)}`,
    })),
  ];
}

const GROUP_NAMES: Record<Place['kind'], string> = {
  Page: 'Pages',
  Command: 'Commands',
  Cron: 'Crons',
  Function: 'Jobs of a function',
  Job: 'Jobs',
};
const MAX_PER_GROUP = 8;

/** Return the places whose names contain all words of the text, by kind; a job if the text is an id. */
export function findPlaces(places: readonly Place[], text: string): PlaceGroup[] {
  const wanted = text.trim();
  const job: Place[] = JOB_ID.test(wanted) ? [{ label: wanted, kind: 'Job', to: `/jobs/${wanted}` }] : [];
  const words = wanted.toLowerCase().split(/\s+/);
  const matching = places.filter(({ label }) => words.every((word) => label.toLowerCase().includes(word)));
  return (['Job', 'Page', 'Command', 'Cron', 'Function'] as const)
    .map((kind) => ({
      value: GROUP_NAMES[kind],
      items: [...job, ...matching].filter((place) => place.kind === kind).slice(0, kind === 'Page' ? undefined : MAX_PER_GROUP),
    }))
    .filter(({ items }) => items.length > 0);
}
