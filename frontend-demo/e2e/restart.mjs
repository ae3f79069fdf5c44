/* The page shows that it is reconnecting while the API is down, and resumes when it is back. */
import { connection, jobs, openLivePage, scheduleJob } from './page.mjs';

export default async function scenario(page, given) {
  await openLivePage(page, given);
  await scheduleJob(page, { args: { name: 'before' } });
  await jobs(page, 'before', 'SUCCESS').waitFor();

  await given.request('kill the API');
  await connection(page, 'reconnecting');
  await page.getByText('The connection is lost.').waitFor();
  await jobs(page, 'before', 'SUCCESS').waitFor();

  await page.getByRole('button', { name: 'Retry now' }).click();
  await given.request('start the API');
  await connection(page, 'live');
  await scheduleJob(page, { args: { name: 'after' } });
  await jobs(page, 'after', 'SUCCESS').waitFor();
  if ((await jobs(page, 'before').count()) !== 1) throw new Error('The row of `before` is missing or duplicated.');
}
