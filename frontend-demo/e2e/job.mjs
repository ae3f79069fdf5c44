/* The page of a job shows its timeline, log, error and tree; the job can be copied, retried with other arguments and
   rescheduled. */
import { areShownOnce, go, jobs, openLivePage, scheduleJob } from './page.mjs';

/** Without TLS, pages have no `navigator.clipboard`. */
async function copyWithoutTls(page) {
  await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true }));
  await page.getByRole('button', { name: 'Copy arguments' }).click();
  await page.getByRole('button', { name: 'Copied' }).waitFor();
  await page.evaluate(() => delete navigator.clipboard);
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  if (!copied.includes('"bob"')) throw new Error(`copied without TLS: ${copied}`);
}

export default async function scenario(page, given) {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: given.baseUrl });
  await openLivePage(page, given);
  await scheduleJob(page, { functionName: 'reports.sendAll', args: { to: ['ada', 'bob'] } });
  await jobs(page, 'reports.sendAll', 'SUCCESS').getByRole('link').click();
  await page.getByRole('heading', { level: 1, name: 'reports.sendAll' }).waitFor();
  await page.getByText('Attempt 1: success').waitFor();
  await page.getByRole('list', { name: 'Log lines' }).getByText('report.scheduled to="bob"').waitFor();
  const tree = page.getByRole('region', { name: 'Tree of 3 jobs' });
  await tree.getByText('Failed').nth(1).waitFor();

  await page.getByRole('button', { name: 'Copy as…' }).click();
  await page.getByRole('menuitem', { name: 'Python' }).click();
  await page.getByText('Copied as Python').waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  const wanted = 'await app.schedule("reports.sendAll", {"to": ["ada", "bob"]})';
  if (copied !== wanted) throw new Error(`copied: ${copied}`);
  await copyWithoutTls(page);

  await tree.getByRole('link', { name: 'reports.send' }).first().click();
  await page.getByRole('heading', { level: 1, name: 'reports.send', exact: true }).waitFor();
  const error = page.getByText('RuntimeError: the mailbox of ada is full');
  await error.first().waitFor();
  if ((await error.count()) !== 1) throw new Error(`the error is shown ${await error.count()} times`);
  await page.getByRole('link', { name: 'reports.sendAll' }).first().waitFor();

  await page.getByRole('button', { name: 'Retry' }).click();
  const retry = page.getByRole('form', { name: 'Retry the job' });
  await retry.getByLabel('Arguments').fill('{"to": ');
  await retry.getByRole('button', { name: 'Retry' }).click();
  await retry.getByText('This is not JSON').waitFor();
  await retry.getByLabel('Arguments').fill('{}');
  await retry.getByRole('button', { name: 'Retry' }).click();
  await areShownOnce(retry, { args: /^to is required\.$/ });
  await retry.getByLabel('Arguments').fill('{"to": "eve"}');
  await retry.getByRole('button', { name: 'Retry' }).click();
  await page.getByText('RuntimeError: the mailbox of eve is full').first().waitFor();
  await page.getByText('Failed, until retried by alice').waitFor();

  await go(page, 'Jobs');
  await scheduleJob(page, { functionName: 'tasks.runTask', args: { name: 'later' }, delay: '1 h' });
  await jobs(page, 'later', 'PENDING').getByRole('link').click();
  await page.getByRole('button', { name: 'Reschedule' }).click();
  const reschedule = page.getByRole('form', { name: 'Reschedule the job' });
  await reschedule.getByLabel('Run at').fill('2020-01-01T00:00:00');
  await reschedule.getByRole('button', { name: 'Reschedule' }).click();
  await page.getByText('Attempt 1: success').waitFor();
}
