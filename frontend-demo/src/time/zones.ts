/** Times in the time zone of a schedule. */

const FORMAT: Intl.DateTimeFormatOptions = {
  weekday: 'short',
  year: 'numeric',
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
};

/** A zone that this browser does not know, or that is not complete yet, is ignored. */
export function formatIn(zone: string | undefined): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat(undefined, { ...FORMAT, timeZone: zone });
  } catch {
    return new Intl.DateTimeFormat(undefined, FORMAT);
  }
}
