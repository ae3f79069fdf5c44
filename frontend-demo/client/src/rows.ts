/** Merges the messages of a subscription into rows. The newest version of an object wins. */
import type { Change, Versioned } from './message.js';

/** The rows to keep: the first `limit` by `order`. */
export type Window<Row> = { limit: number; order: (a: Row, b: Row) => number };

type Entry<Row> = { row: Row; messageId: string | null };

/** The first rows by the order, without a gap: if a row is missing, so are all rows after it. */
class WindowedRows<Row extends Versioned> {
  readonly #window: Window<Row>;
  readonly #entries = new Map<string, Entry<Row>>();
  /** Rows after this one may be missing, so none is added there; null if no row is missing. */
  #lastKnown: Row | null = null;
  /** Whether a row may have been removed that still exists. */
  ambiguous = false;

  constructor(window: Window<Row>) {
    this.#window = window;
  }

  get truncated(): boolean {
    return this.#lastKnown !== null;
  }

  get isHalfEmpty(): boolean {
    return this.#entries.size < this.#window.limit / 2;
  }

  put(row: Row, messageId: string | null): void {
    const known = this.#entries.get(row.id);
    if (known && known.row.version > row.version) return;
    this.#entries.delete(row.id);
    if (this.#lastKnown && this.#compare(row, this.#lastKnown) > 0) return;
    this.#entries.set(row.id, { row, messageId });
    if (this.#entries.size <= this.#window.limit) return;
    this.#entries.delete(this.#last().id);
    this.#lastKnown = this.#last();
  }

  /** Remove a row by its id or, if no row has this id, by the id in its messages. */
  remove(id: string): void {
    if (this.#entries.delete(id)) return;
    const found = [...this.#entries].filter(([, { messageId }]) => messageId === id);
    found.forEach(([key]) => this.#entries.delete(key));
    if (found.length > 1) this.ambiguous = true;
  }

  /** A snapshot that fills the window may not contain all rows. */
  endSnapshot(): void {
    if (this.#entries.size >= this.#window.limit) this.#lastKnown = this.#last();
  }

  sorted(): Row[] {
    return [...this.#entries.values()].map(({ row }) => row).sort(this.#compare);
  }

  #last(): Row {
    const rows = [...this.#entries.values()].map(({ row }) => row);
    return rows.reduce((a, b) => (this.#compare(a, b) > 0 ? a : b));
  }

  readonly #compare = (a: Row, b: Row): number =>
    this.#window.order(a, b) || (a.id < b.id ? -1 : Number(a.id > b.id));
}

/** The rows of one subscription. A snapshot replaces all rows when it is complete. */
export class LiveRows<Row extends Versioned> {
  readonly #window: Window<Row>;
  #rows: WindowedRows<Row>;
  #arriving: WindowedRows<Row> | null = null;
  #hadSnapshot = false;

  constructor(window: Window<Row>) {
    this.#window = window;
    this.#rows = new WindowedRows(window);
  }

  /** Whether a snapshot, or the READY that replaces it, is still to come. */
  get isArriving(): boolean {
    return this.#arriving !== null;
  }

  /** Whether rows exist, or may exist, that do not fit into the window. */
  get truncated(): boolean {
    return this.#rows.truncated;
  }

  /** Whether only a new snapshot can provide rows that are missing here. */
  get needsSnapshot(): boolean {
    if (this.#arriving || !this.#hadSnapshot) return false;
    return this.#rows.ambiguous || (this.#rows.truncated && this.#rows.isHalfEmpty);
  }

  sorted(): Row[] {
    return this.#rows.sorted();
  }

  startSnapshot(): void {
    this.#arriving = new WindowedRows(this.#window);
  }

  apply({ kind, id, object }: Change<Row>): void {
    switch (kind) {
      case 'SNAPSHOT':
        if (!this.#arriving) this.startSnapshot();
        this.#hadSnapshot = true;
        return this.#put(object, id);
      case 'READY':
        return this.#endSnapshot();
      case 'CHANGED':
        return this.#put(object, id);
      case 'LEFT':
        return this.#remove(object?.id ?? id);
      case 'CHECKPOINT':
        return;
      case 'RESET':
        return this.startSnapshot();
    }
  }

  #put(object: Row | null, messageId: string | null): void {
    if (object) (this.#arriving ?? this.#rows).put(object, messageId);
  }

  #remove(id: string | null): void {
    if (id !== null) (this.#arriving ?? this.#rows).remove(id);
  }

  #endSnapshot(): void {
    if (!this.#arriving) return;
    this.#rows = this.#arriving;
    this.#arriving = null;
    this.#rows.endSnapshot();
  }
}
