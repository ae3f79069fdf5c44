/** A filter in the address, so that a view can be shared. All values are texts; an empty one does not filter. */

export type TextFilter<Name extends string> = Record<Name, string>;

/** Values of another form are ignored: the address may come from anywhere. */
export type Checks<Name extends string> = Partial<Record<Name, (text: string) => boolean>>;

export function isInstant(text: string): boolean {
  return !Number.isNaN(Date.parse(text));
}

export function readAddress<Name extends string>(
  names: readonly Name[],
  checks: Checks<Name>,
  address: URLSearchParams,
): TextFilter<Name> {
  const entries = names.map((name) => {
    const text = address.get(name)?.trim() ?? '';
    return [name, checks[name]?.(text) === false ? '' : text];
  });
  return Object.fromEntries(entries) as TextFilter<Name>;
}

/** Return the part of the address for a filter, without empty values. */
export function writeAddress<Name extends string>(names: readonly Name[], filter: TextFilter<Name>): URLSearchParams {
  const set = names.filter((name) => filter[name] !== '');
  return new URLSearchParams(set.map((name) => [name, filter[name]]));
}
