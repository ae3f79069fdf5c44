/** Which jobs of the list are selected. No I/O. */

export type Selection = {
  ids: ReadonlySet<string>;
  /** The job that was selected last, from which a range begins. */
  last: string | null;
};

export const NONE: Selection = { ids: new Set(), last: null };

/** A bulk action names so many jobs. */
export const MAX_SELECTED = 100;

function range(order: readonly string[], from: string, to: string): readonly string[] {
  const [a, b] = [order.indexOf(from), order.indexOf(to)];
  return a < 0 || b < 0 ? [to] : order.slice(Math.min(a, b), Math.max(a, b) + 1);
}

/**
 * Select or deselect a job, or all from the last one to it.
 * @param order the ids of the list, from its top.
 */
export function toggle({ ids, last }: Selection, order: readonly string[], id: string, isRange: boolean): Selection {
  const changed = isRange && last !== null ? range(order, last, id) : [id];
  if (ids.has(id)) return { ids: new Set([...ids].filter((each) => !changed.includes(each))), last: id };
  return { ids: new Set([...new Set([...ids, ...changed])].slice(0, MAX_SELECTED)), last: id };
}
