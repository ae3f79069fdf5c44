/** Reads the answer to a request, which is JSON or plain text. No I/O. */

export type Answer = { result: unknown } | { issue: string };

/** How JSON other than numbers, `true`, `false` and `null` begins. */
const BEGINS = { '{': 'an object', '[': 'a list', '"': 'a text in quotes' };

function nameOf(text: string): string | undefined {
  return BEGINS[text[0] as keyof typeof BEGINS];
}

/** Text that neither is JSON nor begins like it is sent as it is. */
export function readAnswer(text: string): Answer {
  try {
    return { result: JSON.parse(text) };
  } catch (error) {
    const name = nameOf(text);
    if (name === undefined) return { result: text };
    const reason = error instanceof Error ? error.message : String(error);
    return {
      issue: `This begins like ${name} of JSON, but is not JSON: ${reason}. To send it as text, write ${JSON.stringify(text)}.`,
    };
  }
}
