/** The order of the groups while somebody looks at them: known ones keep their places, new ones come in above. No I/O. */

type Group = { id: string };

/** Return the known ids with those of new groups before them; the same array if there are none. */
export function withNew(known: readonly string[], groups: readonly Group[]): readonly string[] {
  const added = groups.map(({ id }) => id).filter((id) => !known.includes(id));
  return added.length > 0 ? [...added, ...known] : known;
}

/** Return the groups in the order of their ids in `known`, which has them all. */
export function arrange<Each extends Group>(known: readonly string[], groups: readonly Each[]): readonly Each[] {
  const places = new Map(known.map((id, place) => [id, place]));
  return groups.toSorted((a, b) => (places.get(a.id) ?? 0) - (places.get(b.id) ?? 0));
}
