/** Rows by id and in order: one is found, added or removed without sorting the others. */

type WithId = { id: string };

type Entry<Row> = { row: Row; messageId: string | null };

export class SortedRows<Row extends WithId> {
  readonly #compare: (a: Row, b: Row) => number;
  readonly #entries = new Map<string, Entry<Row>>();
  /** Ids of rows by the id in their messages, where it is not their own. */
  readonly #byMessageId = new Map<string, Set<string>>();
  #sorted: Row[] = [];

  /** @param compare a total order: 0 only for one row with itself. */
  constructor(compare: (a: Row, b: Row) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#sorted.length;
  }

  get last(): Row | undefined {
    return this.#sorted.at(-1);
  }

  get(id: string): Row | undefined {
    return this.#entries.get(id)?.row;
  }

  /** Return a new array of the rows in order. */
  toArray(): Row[] {
    return this.#sorted.slice();
  }

  /** Return the ids of the rows with an id in their messages that is not their own. */
  idsOf(messageId: string): string[] {
    return [...(this.#byMessageId.get(messageId) ?? [])];
  }

  /** Add a row, or replace the one with its id. */
  set(row: Row, messageId: string | null): void {
    if (this.#replace(row, messageId)) return;
    this.delete(row.id);
    this.#entries.set(row.id, { row, messageId });
    this.#sorted.splice(this.#position(row), 0, row);
    if (messageId === null || messageId === row.id) return;
    const ids = this.#byMessageId.get(messageId) ?? new Set();
    this.#byMessageId.set(messageId, ids.add(row.id));
  }

  delete(id: string): boolean {
    const entry = this.#entries.get(id);
    if (!entry) return false;
    const position = this.#position(entry.row);
    // An order that contradicts itself does not lead to the row.
    const found =
      this.#sorted[position] === entry.row ? position : this.#sorted.indexOf(entry.row);
    this.#sorted.splice(found, 1);
    this.#forget(id, entry);
    return true;
  }

  /** Delete all rows that do not pass; return whether there were any. */
  keep(passes: (row: Row) => boolean): boolean {
    const failed: Row[] = [];
    this.#sorted = this.#sorted.filter((row) => passes(row) || (failed.push(row), false));
    for (const { id } of failed) this.#forget(id, this.#entries.get(id)!);
    return failed.length > 0;
  }

  /** Replace the row with this id if it stays where it is; return whether it does. */
  #replace(row: Row, messageId: string | null): boolean {
    const entry = this.#entries.get(row.id);
    if (entry?.messageId !== messageId || this.#compare(entry.row, row) !== 0) return false;
    const position = this.#position(row);
    if (this.#sorted[position] !== entry.row) return false;
    this.#sorted[position] = row;
    this.#entries.set(row.id, { row, messageId });
    return true;
  }

  #forget(id: string, { messageId }: Entry<Row>): void {
    this.#entries.delete(id);
    const ids = messageId === null ? undefined : this.#byMessageId.get(messageId);
    if (ids?.delete(id) && ids.size === 0) this.#byMessageId.delete(messageId!);
  }

  /** Return where the row is, or belongs. */
  #position(row: Row): number {
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(this.#sorted[middle]!, row) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
