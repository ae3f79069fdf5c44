/* A job that is older than the newest ones is found by its state, or when the list is scrolled to it. New jobs do
   not move a list that is scrolled down. */
import { eventually, jobs, openLivePage, scheduleJob } from './page.mjs';

async function scrollToEnd(page) {
  await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
}

async function keepsItsPlace(page, given) {
  const row = jobs(page, 'reports.send');
  const { y } = await row.boundingBox();
  await given.request('schedule 3 others');
  await page.getByRole('button', { name: '3 new jobs' }).waitFor();
  const moved = (await row.boundingBox()).y - y;
  if (moved !== 0) throw new Error(`new jobs have moved the row by ${moved} px`);
  await page.getByRole('button', { name: '3 new jobs' }).click();
  await page.getByRole('button', { name: '3 new jobs' }).waitFor({ state: 'detached' });
}

export default async function scenario(page, given) {
  await openLivePage(page, given);
  await scheduleJob(page, { functionName: 'reports.send', args: { to: 'ada' } });
  await jobs(page, 'reports.send', 'FAILED').waitFor();

  await given.request('schedule 100 others');
  await jobs(page, 'reports.send').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Pending 100' }).waitFor();
  await page.getByRole('button', { name: 'Failed 1' }).waitFor();

  await page.getByRole('button', { name: /^Failed/ }).click();
  await jobs(page, 'reports.send', 'FAILED').waitFor();
  await page.getByRole('button', { name: /^Success/ }).click();
  await page.getByText('No successful jobs.').waitFor();

  await page.getByRole('button', { name: 'Show all jobs' }).click();
  await page.getByText('100 jobs are loaded.').waitFor();
  await eventually('the oldest job', async () => {
    await scrollToEnd(page);
    return jobs(page, 'reports.send', 'FAILED').isVisible();
  });
  await page.getByText('All 101 jobs are loaded.').waitFor();
  await keepsItsPlace(page, given);
}
