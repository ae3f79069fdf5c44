/** Merges a subscription's snapshot and changes into rows: a pure reducer, newest version wins. */
import type { ChangeKind } from '../generated';

export type Versioned = { id: string; version: number };

/** A message of a `…Changed` subscription; `entity` is null if the message has no object. */
export type Change<Entity> = {
  kind: ChangeKind;
  id: string | null;
  entity: Entity | null;
};

export type LiveRows<Entity> = {
  /** `loading` until the first snapshot is complete. */
  phase: 'loading' | 'live';
  rows: ReadonlyMap<string, Entity>;
  /** Ids in the snapshot that is arriving; null if none is. */
  arriving: ReadonlySet<string> | null;
};

/** Limits the rows to the first `limit` by `order`. */
export type Window<Entity> = { limit: number; order: (a: Entity, b: Entity) => number };

export function emptyRows<Entity>(): LiveRows<Entity> {
  return { phase: 'loading', rows: new Map(), arriving: null };
}

/** Prepare for a snapshot: rows that are not in it are removed when it is complete. */
export function startSnapshot<Entity>(state: LiveRows<Entity>): LiveRows<Entity> {
  return { ...state, arriving: new Set() };
}

export function applyChange<Entity extends Versioned>(
  state: LiveRows<Entity>,
  change: Change<Entity>,
  window: Window<Entity>,
): LiveRows<Entity> {
  switch (change.kind) {
    case 'SNAPSHOT':
      return addToSnapshot(state, change, window);
    case 'READY':
      return completeSnapshot(state);
    case 'CHANGED':
      return withRows(state, change, upsert(state.rows, change.entity, window));
    case 'LEFT':
      return withRows(state, change, without(state.rows, change.id));
    case 'CHECKPOINT':
      return state;
    case 'RESET':
      return startSnapshot(state);
  }
}

function addToSnapshot<Entity extends Versioned>(
  state: LiveRows<Entity>,
  change: Change<Entity>,
  window: Window<Entity>,
): LiveRows<Entity> {
  const arriving = new Set(state.arriving);
  if (change.id !== null) arriving.add(change.id);
  return { ...state, arriving, rows: upsert(state.rows, change.entity, window) };
}

function completeSnapshot<Entity>(state: LiveRows<Entity>): LiveRows<Entity> {
  const { arriving } = state;
  const rows = arriving
    ? new Map([...state.rows].filter(([id]) => arriving.has(id)))
    : state.rows;
  return { ...state, phase: 'live', arriving: null, rows };
}

/** A row that was created while the snapshot arrived is part of it. */
function withRows<Entity>(
  state: LiveRows<Entity>,
  change: Change<Entity>,
  rows: ReadonlyMap<string, Entity>,
): LiveRows<Entity> {
  if (state.arriving === null) return { ...state, rows };
  const arriving = new Set(state.arriving);
  if (change.kind === 'CHANGED' && change.id !== null) arriving.add(change.id);
  return { ...state, rows, arriving };
}

function upsert<Entity extends Versioned>(
  rows: ReadonlyMap<string, Entity>,
  entity: Entity | null,
  window: Window<Entity>,
): ReadonlyMap<string, Entity> {
  if (entity === null) return rows;
  const known = rows.get(entity.id);
  if (known && known.version > entity.version) return rows;
  return bounded(new Map(rows).set(entity.id, entity), window);
}

function bounded<Entity extends Versioned>(
  rows: Map<string, Entity>,
  { limit, order }: Window<Entity>,
): ReadonlyMap<string, Entity> {
  if (rows.size <= limit) return rows;
  const last = [...rows.values()].reduce((a, b) => (order(a, b) > 0 ? a : b));
  rows.delete(last.id);
  return rows;
}

function without<Entity>(
  rows: ReadonlyMap<string, Entity>,
  id: string | null,
): ReadonlyMap<string, Entity> {
  if (id === null || !rows.has(id)) return rows;
  const rest = new Map(rows);
  rest.delete(id);
  return rest;
}
