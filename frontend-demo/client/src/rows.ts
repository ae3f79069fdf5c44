/** Merges the messages of a subscription into rows. The newest version of an object wins. */
import type { Change, Versioned } from './message.js';
import { SortedRows } from './sortedRows.js';

/** The rows to keep: the first `limit` by `order`, until they expire. */
export type Window<Row> = {
  limit: number;
  order: (a: Row, b: Row) => number;
  expiresAt?: ((row: Row) => string | null) | undefined;
};

/** A page of a query in the order of a list, as the server's connections are. */
export type Page<Row> = {
  nodes: readonly Row[];
  pageInfo: { endCursor: string | null; hasNextPage: boolean };
};

/** The first rows by the order, without a gap: if a row is missing, so are all rows after it. */
class WindowedRows<Row extends Versioned> {
  readonly #window: Window<Row>;
  readonly #rows: SortedRows<Row>;
  #limit: number;
  /** Rows after this one may be missing, so none is added there; null if no row is missing. */
  #lastKnown: Row | null = null;
  /** The last row of each page that was added, with its cursor. */
  readonly #pageEnds: { row: Row; cursor: string }[] = [];
  /**
   * What changed since pages are read and is not in the window: newest rows, and null for those that
   * left. A page may be older. Null while no page is read.
   */
  #aside: Map<string, Row | null> | null = null;
  /** No row expires before this, so that most checks look at no row; null if none expires. */
  #earliestExpiry: string | null = null;
  /** Whether a row may have been removed that still exists. */
  ambiguous = false;

  constructor(window: Window<Row>) {
    this.#window = window;
    this.#limit = window.limit;
    this.#rows = new SortedRows(this.#compare);
  }

  get truncated(): boolean {
    return this.#lastKnown !== null;
  }

  get isHalfEmpty(): boolean {
    return this.#rows.size < this.#window.limit / 2;
  }

  put(row: Row, messageId: string | null): void {
    const known = this.#rows.get(row.id) ?? this.#aside?.get(row.id);
    if (known && known.version > row.version) return;
    if (this.#isMissing(row)) {
      this.#rows.delete(row.id);
      this.#aside?.set(row.id, row);
      return;
    }
    this.#rows.set(row, messageId);
    this.#noteExpiry(row);
    this.#aside?.delete(row.id);
    if (this.#rows.size <= this.#limit) return;
    const dropped = this.#rows.last!;
    this.#rows.delete(dropped.id);
    this.#aside?.set(dropped.id, dropped);
    this.#lastKnown = this.#rows.last!;
  }

  /** Remove a row by its id or, if no row has this id, by the id in its messages. */
  remove(id: string): void {
    this.#aside?.set(id, null);
    if (this.#rows.delete(id)) return;
    const found = this.#rows.idsOf(id);
    found.forEach((key) => this.#rows.delete(key));
    if (found.length > 1) this.ambiguous = true;
  }

  /** Remove the rows that expired before `now`; return whether there were any. */
  expire(now: string): boolean {
    if (this.#earliestExpiry === null || this.#earliestExpiry > now) return false;
    this.#earliestExpiry = null;
    return this.#rows.keep((row) => {
      const at = this.#noteExpiry(row);
      return at === null || at > now;
    });
  }

  #noteExpiry(row: Row): string | null {
    const at = this.#window.expiresAt?.(row) ?? null;
    if (at !== null && (this.#earliestExpiry === null || at < this.#earliestExpiry)) this.#earliestExpiry = at;
    return at;
  }

  /** A snapshot that fills the window may not contain all rows. */
  endSnapshot(): void {
    if (this.#rows.size >= this.#limit) this.#lastKnown = this.#rows.last!;
  }

  /** Return the cursor after which the rows are read that may be missing; null for all rows. */
  startPages(): string | null {
    this.#aside = new Map();
    while (this.#pageEnds.length > 0 && this.#isMissing(this.#pageEnds.at(-1)!.row)) {
      this.#pageEnds.pop();
    }
    return this.#pageEnds.at(-1)?.cursor ?? null;
  }

  /** Add a page and what changed since it is read; return whether it contains missing rows. */
  addPage({ nodes, pageInfo: { endCursor, hasNextPage } }: Page<Row>): boolean {
    const end = nodes.at(-1);
    const ends = end === undefined || !hasNextPage;
    const advances = ends || this.#isMissing(end);
    if (ends) this.#lastKnown = null;
    else if (advances) this.#lastKnown = end;
    if (end && endCursor !== null) this.#pageEnds.push({ row: end, cursor: endCursor });
    this.#limit = Infinity;
    const aside = this.#aside ?? new Map<string, Row | null>();
    for (const row of nodes) if (aside.get(row.id) !== null) this.put(row, row.id);
    for (const [id, row] of aside) if (row) this.put(row, id);
    this.#limit = this.#rows.size + this.#window.limit;
    return advances;
  }

  endPages(): void {
    this.#aside = null;
  }

  sorted(): Row[] {
    return this.#rows.toArray();
  }

  /** Return whether the place of a row is after the last known one. */
  #isMissing(row: Row): boolean {
    return this.#lastKnown !== null && this.#compare(row, this.#lastKnown) > 0;
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

  /** Remove the rows that expired before `now`; return whether there were any. */
  expire(now: string): boolean {
    return this.#rows.expire(now);
  }

  /**
   * Read the rows that may be missing: `fetch` reads the page after a cursor, null for the first. Pages
   * are dropped if a snapshot replaces the rows meanwhile.
   */
  async addPages(fetch: (after: string | null) => Promise<Page<Row>>): Promise<void> {
    const rows = this.#rows;
    const isCurrent = () => this.#rows === rows && !this.#arriving && rows.truncated;
    let after = rows.startPages();
    try {
      while (isCurrent()) {
        const page = await fetch(after);
        if (!isCurrent() || rows.addPage(page)) return;
        after = page.pageInfo.endCursor;
      }
    } finally {
      rows.endPages();
    }
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
