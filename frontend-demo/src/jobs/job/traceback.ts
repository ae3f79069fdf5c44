/** The traceback of an error. No I/O. */
import { errorText } from '../errorText';

type Failed = { name: string; message: string; traceback: string | null };

/** Split a traceback before the error at its end, which Python may write with the module of its class. */
export function splitTraceback({ traceback, ...error }: Failed): { calls: string; end: string } {
  const text = errorText(error);
  if (!traceback) return { calls: '', end: text };
  const whole = traceback.trimEnd();
  if (!whole.endsWith(text)) return { calls: `${whole}\n`, end: text };
  const start = whole.lastIndexOf('\n', whole.length - text.length) + 1;
  return { calls: whole.slice(0, start), end: whole.slice(start) };
}
