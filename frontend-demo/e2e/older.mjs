/* A job that is too old for the list of all jobs is found by filtering by its state. */
import { jobs, openLivePage, scheduleJob } from './page.mjs';

export default async function scenario(page, given) {
  await openLivePage(page, given);
  await scheduleJob(page, { functionName: 'reports.send', args: { to: 'ada' } });
  await jobs(page, 'reports.send', 'FAILED').waitFor();

  await given.request('schedule 100 others');
  await page.getByText('newest 100', { exact: true }).waitFor();
  await jobs(page, 'reports.send').waitFor({ state: 'detached' });

  await page.getByRole('button', { name: /^Failed/ }).click();
  await jobs(page, 'reports.send', 'FAILED').waitFor();
  await page.getByRole('button', { name: /^Success/ }).click();
  await page.getByText('No successful jobs.').waitFor();
}
