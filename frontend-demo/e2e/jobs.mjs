/* A job runs and shows its result; a scheduled job can be canceled before it runs; long lines unfold. */
import { areShownOnce, jobs, openLivePage, scheduleJob } from './page.mjs';

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

/** All wrong values are shown at once, each at its field. */
async function isRefused(page) {
  await page.getByRole('button', { name: 'Schedule job' }).click();
  const form = page.getByRole('form', { name: 'Schedule a job' });
  await form.getByLabel('Arguments').fill('{');
  await form.getByLabel('Delay').fill('soon');
  await form.getByRole('button', { name: 'Schedule' }).click();
  await areShownOnce(form, { args: 'This is not JSON', runAfterMs: 'Enter a duration' });
  await form.getByLabel('Arguments').fill('{}');
  await form.getByLabel('Delay').fill('6 years');
  await form.getByRole('button', { name: 'Schedule' }).click();
  await areShownOnce(form, { args: /^name is required\.$/, runAfterMs: 'Delay must be 0 to 5 years, got 6 years.' });
  await page.keyboard.press('Escape');
  await form.waitFor({ state: 'detached' });
}

export default async function scenario(page, given) {
  await openLivePage(page, given);
  await page.getByText('No jobs yet.').waitFor();
  await isRefused(page);
  await scheduleJob(page, { args: { name: 'right away' } });
  await jobs(page, 'right away', 'SUCCESS').waitFor();

  await scheduleJob(page, { args: { name: 'much later' }, delay: '1 h', tags: 'nightly, customer 7' });
  const later = jobs(page, 'much later', 'PENDING');
  await later.getByText('customer 7', { exact: true }).waitFor();
  await later.getByText(/due in (59 min|1 h)/).waitFor();
  await later.getByRole('button', { name: 'Cancel' }).click();
  await jobs(page, 'much later', 'CANCELED').waitFor();

  const long = 'long '.repeat(100).trim();
  await scheduleJob(page, { args: { name: long }, delay: '1 h' });
  await jobs(page, long, 'PENDING').waitFor();
  await unfolds(page, long);

  await page.getByRole('button', { name: /^Canceled/ }).click();
  await jobs(page, 'right away').waitFor({ state: 'detached' });
  await jobs(page, 'much later').waitFor();
  await leadsToItsPage(page, jobs(page, 'much later'));
}
