/**
 * The order of the groups while somebody looks at them: known ones keep their places, new ones come in above, and those of
 * the next page, which replace others that are gone, below. No I/O.
 */

type Group = { id: string };

/** Return the known ids with those of other groups; the same array if there are none. */
export function withNew(known: readonly string[], groups: readonly Group[]): readonly string[] {
  const ids = groups.map(({ id }) => id);
  const last = ids.findLastIndex((id) => known.includes(id));
  const added = ids.filter((id) => !known.includes(id));
  if (added.length === 0) return known;
  const older = last < 0 ? [] : ids.slice(last + 1); // A new group is newer than the oldest that was known.
  return [...added.filter((id) => !older.includes(id)), ...known, ...older];
}

/** Return the groups in the order of their ids in `known`, which has them all. */
export function arrange<Each extends Group>(known: readonly string[], groups: readonly Each[]): readonly Each[] {
  const places = new Map(known.map((id, place) => [id, place]));
  return groups.toSorted((a, b) => (places.get(a.id) ?? 0) - (places.get(b.id) ?? 0));
}
