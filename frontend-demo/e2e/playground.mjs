/* The playground runs each pattern, and shows what happens. */
import { connection, jobs } from './page.mjs';

const BUTTONS = [
  'Run a job',
  'Schedule a job',
  'Fail',
  'Register a cron',
  'Start a recurring task',
  'Process a batch',
  'Recover from failures',
  'Fail for good',
];

/** The job that gave up leads to its failure, which leads back, and cannot be retried. */
async function seeRecordedFailure(page, calls) {
  await calls.getByRole('link', { name: 'recorded a failure' }).click();
  const group = page.locator('[data-failures]');
  await group.getByRole('button', { name: /^Resolve \d+ failures? of actions.retryableAction/ }).waitFor();
  if ((await page.getByRole('button', { name: /^Retry/ }).count()) > 0) throw new Error('offers to retry no job');
  await group.locator('summary').click();
  await group.getByRole('definition').getByRole('link', { name: 'actions.retryableAction' }).click();
  await page.getByText('Its function recorded a failure: ').waitFor();
  const tree = page.getByRole('region', { name: 'Tree of 4 jobs' });
  await tree.getByText('called again after 4 s').waitFor();
  await tree.getByRole('link', { name: 'recorded a failure' }).waitFor();
}

export default async function scenario(page, given) {
  await page.goto(`${given.baseUrl}/#/playground`);
  await connection(page, 'live');
  for (const name of BUTTONS) await page.getByRole('button', { name, exact: true }).click();
  await jobs(page, '"now"', 'SUCCESS').waitFor();
  await jobs(page, 'not-allowed', 'FAILED').waitFor();
  await jobs(page, 'playground', 'SUCCESS').first().waitFor();
  await jobs(page, '"recurring"', 'SUCCESS').first().waitFor();
  const calls = jobs(page, 'actions.retryableAction', 'SUCCESS');
  await calls.filter({ hasText: '200' }).first().waitFor();
  for (const seconds of [1, 2]) await calls.filter({ hasText: `called again after ${seconds} s` }).first().waitFor();

  await page.getByRole('button', { name: 'Ask a person' }).click();
  await page.getByRole('button', { name: 'Yes' }).click();
  await page.getByText('The request is completed.').waitFor();
  const graphiql = page.getByRole('link', { name: /GraphiQL.*opens in a new tab/ });
  if ((await graphiql.getAttribute('target')) !== '_blank') throw new Error('GraphiQL replaces the page');
  await seeRecordedFailure(page, calls);
  if ((await page.getByRole('alert').count()) > 0) throw new Error(await page.getByRole('alert').first().innerText());
}
