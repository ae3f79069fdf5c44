/** An error in one line. No I/O. */

export function errorText({ name, message }: { name: string; message: string }): string {
  return message === '' ? name : `${name}: ${message}`;
}
