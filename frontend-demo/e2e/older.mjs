/* A job that is older than the newest ones is found by its state, which the server is asked for. */
import { jobs, openLivePage, scheduleJob } from './page.mjs';

export default async function scenario(page, given) {
  await openLivePage(page, given);
  await scheduleJob(page, { functionName: 'reports.send', args: { to: 'ada' } });
  await jobs(page, 'reports.send', 'FAILED').waitFor();

  await given.please('schedule 100 others');
  await page.getByRole('heading', { name: 'Jobs newest 100' }).waitFor();
  await jobs(page, 'reports.send').waitFor({ state: 'detached' });

  await page.getByRole('button', { name: /^Failed/ }).click();
  await jobs(page, 'reports.send', 'FAILED').waitFor();
  await page.getByRole('button', { name: /^Success/ }).click();
  await page.getByText('None of the jobs has succeeded.').waitFor();
}
