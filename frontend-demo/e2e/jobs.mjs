/* A job runs and shows its result; a scheduled job can be canceled before it runs; long lines unfold. */
import { jobs, openLivePage, scheduleJob } from './page.mjs';

/** A line that is too long is shown completely when it is clicked. */
async function unfolds(page, text) {
  const line = jobs(page, text).locator('summary');
  const folded = (await line.boundingBox()).height;
  await line.click();
  const whole = (await line.boundingBox()).height;
  if (whole < 2 * folded) throw new Error(`${whole} px high, after ${folded}`);
  await line.click();
  if ((await line.boundingBox()).height !== folded) throw new Error('does not fold again');
}

/** A click anywhere in a row opens the page of its job. */
async function leadsToItsPage(page, row) {
  const { x, y, width } = await row.boundingBox();
  await page.mouse.click(x + width - 5, y + 5);
  await page.getByRole('heading', { level: 1, name: 'tasks.runTask' }).waitFor();
}

export default async function scenario(page, given) {
  await openLivePage(page, given);
  await page.getByText('No jobs yet.').waitFor();
  await scheduleJob(page, { args: { name: 'right away' } });
  await jobs(page, 'right away', 'SUCCESS').waitFor();

  await scheduleJob(page, { args: { name: 'much later' }, delayMs: 3_600_000 });
  const later = jobs(page, 'much later', 'PENDING');
  await later.getByText(/due in (59 min|1 h)/).waitFor();
  await later.getByRole('button', { name: 'Cancel' }).click();
  await jobs(page, 'much later', 'CANCELED').waitFor();

  const long = 'long '.repeat(100).trim();
  await scheduleJob(page, { args: { name: long }, delayMs: 3_600_000 });
  await jobs(page, long, 'PENDING').waitFor();
  await unfolds(page, long);

  await page.getByRole('button', { name: /^Canceled/ }).click();
  await jobs(page, 'right away').waitFor({ state: 'detached' });
  await jobs(page, 'much later').waitFor();
  await leadsToItsPage(page, jobs(page, 'much later'));
}
