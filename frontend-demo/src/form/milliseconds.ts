/** Reads a number of milliseconds from a form's field. */

export const NOT_MS = 'Give a whole number of milliseconds, such as 1000.';

/** An empty field is null; what is not a whole number is `invalid`. The server judges its size. */
export function readMs(value: FormDataEntryValue | null): number | null | 'invalid' {
  const text = String(value ?? '').trim();
  if (text === '') return null;
  return /^-?\d{1,15}$/.test(text) ? Number(text) : 'invalid';
}
