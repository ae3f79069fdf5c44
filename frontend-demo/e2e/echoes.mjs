/* Every value that a function is given and returns is on the page as it was sent, live and after a reload. */
import { eventually, jobs, openLivePage } from './page.mjs';

/** The text with JSON written in one way; undefined if it is not JSON. */
function canonical(text) {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/**
 * Whether a line reads `arguments → result`, or the arguments and the last step for null; a value can contain the
 * arrow, too.
 */
function reads(line, args, result) {
  if (result === null) return line.endsWith(args.text) && canonical(line.slice(0, -args.text.length)) === JSON.stringify(args);
  const [before, after] = [JSON.stringify(args), JSON.stringify(result)];
  const ends = [...line.matchAll(/ → /g)].map((found) => found.index);
  return ends.some((end) => canonical(line.slice(0, end)) === before && canonical(line.slice(end + 3)) === after);
}

/** Find each job by its arguments: there are more than fit on the page. */
async function areShown(page, sent) {
  for (const args of sent) {
    await page.getByRole('searchbox').fill(args.text);
    const line = jobs(page, args.text, 'SUCCESS').locator('summary');
    await eventually(JSON.stringify(args), async () => reads((await line.textContent()) ?? '', args, args.value));
  }
}

export default async function scenario(page, given) {
  await openLivePage(page, given);
  const sent = await given.request('schedule a job with each value');
  await areShown(page, sent);
  await page.reload();
  await areShown(page, sent);
}
