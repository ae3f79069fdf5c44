/** JSON on one line, with spaces after commas and colons, so that it can wrap. */
export function formatJson(value: unknown): string {
  // Only the layout has line breaks: those in texts are escaped.
  return (JSON.stringify(value, null, 1) ?? 'null')
    .replace(/([[{])\n\s*/g, '$1')
    .replace(/\n\s*([\]}])/g, '$1')
    .replace(/,\n\s*/g, ', ');
}
