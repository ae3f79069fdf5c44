/** The form of GraphQL results, and which of their errors concern the cursor or the token. */

/** A GraphQL error, as the server sends it. */
export type Problem = {
  message: string;
  extensions?: { code?: string; issues?: readonly { path: readonly (string | number)[] }[] };
};

export type Result = { data?: Record<string, unknown> | null; errors?: readonly Problem[] };

/**
 * Return the errors in what a client reports as the error of an operation; none if it is another
 * kind of error.
 */
export function problemsOf(error: unknown): readonly Problem[] {
  return Array.isArray(error) ? (error as Problem[]) : [];
}

/** Return whether the server rejects the cursor: only a subscription without it can succeed. */
export function rejectsCursor(problems: readonly Problem[]): boolean {
  return problems.some(concernsCursor);
}

function concernsCursor({ extensions }: Problem): boolean {
  if (extensions?.code === 'HISTORY_LOST') return true;
  return extensions?.issues?.some(({ path }) => path[0] === 'after') ?? false;
}

/** Return whether the token has expired. The server then closes the connection. */
export function isExpiry({ data, errors }: Result): boolean {
  return data == null && errors?.[0]?.extensions?.code === 'UNAUTHORIZED';
}
