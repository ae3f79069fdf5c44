/* The playground runs each pattern, and shows what happens. */
import { connection, eventually, jobs } from './page.mjs';

const BUTTONS = [
  'Run a job',
  'Schedule a job',
  'Fail',
  'Register a cron',
  'Start a recurring task',
  'Process a batch',
  'Recover from failures',
];

export default async function scenario(page, given) {
  await page.goto(`${given.baseUrl}/#/playground`);
  await connection(page, 'live');
  for (const name of BUTTONS) await page.getByRole('button', { name, exact: true }).click();
  await jobs(page, '"now"', 'SUCCESS').waitFor();
  await jobs(page, 'not-allowed', 'FAILED').waitFor();
  await jobs(page, 'playground', 'SUCCESS').first().waitFor();
  await jobs(page, '"recurring"', 'SUCCESS').first().waitFor();
  const calls = jobs(page, 'actions.retryableAction', 'SUCCESS');
  await eventually('three calls', async () => (await calls.count()) === 3);
  await calls.filter({ hasText: '200' }).first().waitFor();

  await page.getByRole('button', { name: 'Ask a person' }).click();
  await page.getByRole('button', { name: 'Yes' }).click();
  await page.getByText('The request is completed.').waitFor();
  if ((await page.getByRole('alert').count()) > 0) throw new Error(await page.getByRole('alert').first().innerText());
}
