/** Instants as the fields of forms have them, `2030-01-31T12:00:00` in the browser's time zone. */

const LOCAL_LENGTH = 19;

/** Return the text of a field for an instant; empty for none. */
export function toLocal(instant: string): string {
  if (instant === '') return '';
  const at = new Date(instant);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, LOCAL_LENGTH);
}

/** Return the instant of a field; empty if it is not filled in. */
export function fromLocal(text: string): string {
  return text === '' ? '' : new Date(text).toISOString();
}
