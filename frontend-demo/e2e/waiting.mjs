/* A job that no worker can start shows a warning in its row. */
import { jobs, openLivePage, scheduleJob } from './page.mjs';

export default async function scenario(page, given) {
  await openLivePage(page, given);
  await scheduleJob(page, { functionName: 'tasks.runTask', args: { name: 'lonely' } });
  await jobs(page, 'no worker is running', 'PENDING').waitFor();
}
