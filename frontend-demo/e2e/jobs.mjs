/* A job runs and shows its result; one that is scheduled for later can be canceled before it runs. */
import { jobs, openLivePage, scheduleJob } from './page.mjs';

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

  await page.getByRole('button', { name: /^Canceled/ }).click();
  await jobs(page, 'right away').waitFor({ state: 'detached' });
  await jobs(page, 'much later').waitFor();
}
