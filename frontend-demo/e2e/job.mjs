/* The page of a job shows its timeline, its error and the jobs that it has led to; calls can be copied. */
import { jobs, openLivePage, scheduleJob } from './page.mjs';

export default async function scenario(page, given) {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: given.baseUrl });
  await openLivePage(page, given);
  await scheduleJob(page, { functionName: 'reports.sendAll', args: { to: ['ada', 'bob'] } });
  await jobs(page, 'reports.sendAll', 'SUCCESS').getByRole('link').click();
  await page.getByRole('heading', { level: 1, name: 'reports.sendAll' }).waitFor();
  await page.getByText('Attempt 1: success').waitFor();
  const tree = page.getByRole('region', { name: 'Tree of 3 jobs' });
  await tree.getByText('Failed').nth(1).waitFor();

  await page.getByRole('button', { name: 'Copy as…' }).click();
  await page.getByRole('menuitem', { name: 'Python' }).click();
  await page.getByText('Copied as Python').waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  const wanted = 'await app.schedule("reports.sendAll", {"to": ["ada", "bob"]})';
  if (copied !== wanted) throw new Error(`copied: ${copied}`);

  await tree.getByRole('link', { name: 'reports.send' }).first().click();
  await page.getByRole('heading', { level: 1, name: 'reports.send', exact: true }).waitFor();
  await page.getByText('RuntimeError: the mailbox of ada is full').first().waitFor();
  await page.getByRole('link', { name: 'reports.sendAll' }).first().waitFor();
}
