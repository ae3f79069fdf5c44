/* A paused page stands still and counts the changes that wait; resumed, it shows them. */
import { jobs, openLivePage, scheduleJob } from './page.mjs';

export default async function scenario(page, given) {
  await openLivePage(page, given);
  await scheduleJob(page, { args: { name: 'before' }, delay: '1 h' });
  await jobs(page, 'before', 'PENDING').waitFor();

  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByText('0 changes wait').waitFor();
  await jobs(page, 'before').getByRole('button', { name: 'Cancel' }).click();
  await page.getByText('1 change waits').waitFor();
  await scheduleJob(page, { args: { name: 'meanwhile' }, delay: '1 h' });
  await page.getByText('2 changes wait').waitFor();
  if ((await jobs(page, 'meanwhile').count()) > 0) throw new Error('A paused page shows a new job.');
  await jobs(page, 'before', 'PENDING').waitFor();

  await page.getByRole('button', { name: 'Resume' }).click();
  await jobs(page, 'meanwhile', 'PENDING').waitFor();
  await jobs(page, 'before', 'CANCELED').waitFor();
}
