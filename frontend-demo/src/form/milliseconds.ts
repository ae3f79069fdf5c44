/** Parses a number of milliseconds from a form field. */

export const INVALID_MS_MESSAGE = 'Enter a whole number of milliseconds, such as 1000.';

/** An empty field is null; anything but a whole number is `invalid`. The server checks the range. */
export function readMs(value: FormDataEntryValue | null): number | null | 'invalid' {
  const text = String(value ?? '').trim();
  if (text === '') return null;
  return /^-?\d{1,15}$/.test(text) ? Number(text) : 'invalid';
}
