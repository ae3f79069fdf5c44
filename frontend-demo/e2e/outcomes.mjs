/* A running job shows its progress and can be canceled; a failed one shows its error. */
import { jobs, openLivePage, scheduleJob } from './page.mjs';

export default async function scenario(page, given) {
  await openLivePage(page, given);
  await scheduleJob(page, { functionName: 'reports.build' });
  const running = jobs(page, 'reports.build', 'IN_PROGRESS');
  await running.getByText('42 of 100 · pages').waitFor();
  await running.getByRole('progressbar', { name: 'Progress' }).waitFor();
  await running.getByRole('button', { name: 'Cancel' }).click();
  await jobs(page, 'reports.build', 'CANCELED').waitFor();

  await scheduleJob(page, { functionName: 'reports.send', args: { to: 'ada' } });
  const failed = jobs(page, 'reports.send', 'FAILED');
  await failed.getByText('RuntimeError: the mailbox of ada is full').waitFor();
  await failed.getByRole('button', { name: 'Retry' }).click();
  await failed.getByText('attempt 2').waitFor();
}
