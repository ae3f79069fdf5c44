/** What keeps a live list from being current. */
import { problemsOf } from './result.js';
import type { Problem } from './result.js';

/** An error of a live list. The list retries unless the error says otherwise. */
export class LiveError extends Error {
  override readonly name = 'LiveError';
  /**
   * The server's errors; empty if the server was not reached or its response was not understood.
   */
  readonly problems: readonly Problem[];

  constructor(message: string, problems: readonly Problem[], cause?: unknown) {
    super(message, { cause });
    this.problems = problems;
  }

  /** Wrap what a client reports: a list of GraphQL errors, or an error of the connection. */
  static of(error: unknown): LiveError {
    const problems = problemsOf(error);
    const message =
      problems[0]?.message ?? (error instanceof Error ? error.message : 'The connection was lost.');
    return new LiveError(message, problems, error);
  }

  /** The code of the server's first error, for example `NOT_FOUND`. */
  get code(): string | null {
    return this.problems[0]?.extensions?.code ?? null;
  }
}
