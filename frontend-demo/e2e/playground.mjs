/* The playground runs each pattern, and shows what happens. */
import { connection, jobs } from './page.mjs';

const BUTTONS = [
  'Run a job',
  'Schedule a job',
  'Fail at once',
  'Register a cron',
  'Start a recurring task',
  'Recover from failures',
  'Retry and give up',
];

/** The job that gave up leads to its failure, which leads back, and cannot be retried. */
async function seeRecordedFailure(page, calls) {
  await calls.getByRole('link', { name: 'recorded a failure' }).click();
  const group = page.locator('[data-failures]');
  await group.getByRole('button', { name: /^Resolve \d+ failures? of actions.retryableAction/ }).waitFor();
  if ((await page.getByRole('button', { name: /^Retry/ }).count()) > 0) throw new Error('offers to retry no job');
  await group.getByText('Recorded by a function: no job failed, so there is nothing to retry.').waitFor();
  const filter = page.getByRole('list', { name: 'Filters' });
  await filter.getByText(/^similar to .*CallFailed: HTTP 503/).waitFor();
  await group.locator('summary').click();
  await group.getByRole('definition').getByRole('link', { name: 'actions.retryableAction' }).click();
  await page.getByText('Its function recorded a failure: ').waitFor();
  await page.getByText('The call failed (not called again: ').waitFor();
  const tree = page.getByRole('region', { name: 'Tree of 4 jobs' });
  await tree.getByText('called again after 4 s').waitFor();
  await tree.getByRole('link', { name: 'recorded a failure' }).waitFor();
}

/** The buttons of an answer stay when the time has run out. */
async function answers(page) {
  const ask = () => page.getByRole('button', { name: 'Ask a person' }).click();
  await ask();
  await page.getByRole('button', { name: 'Yes' }).click();
  await page.getByText('Answered: the request is completed.').waitFor();
  await page.route('**/graphql', async (route) => {
    const body = route.request().postData() ?? '';
    await route.continue({ postData: body.replace('"timeoutMs":60000', '"timeoutMs":1') });
  });
  await ask();
  await page.getByRole('button', { name: 'Answer late: Yes' }).click();
  await page.getByText('The late answer is kept.').waitFor();
}

/** A card leads to what it has started. */
async function followsTheCron(page) {
  await page.getByRole('link', { name: 'See its ticks' }).click();
  await page.getByRole('heading', { level: 1, name: /^playground/ }).waitFor();
  await page.goBack();
}

export default async function scenario(page, given) {
  await page.goto(`${given.baseUrl}/#/playground`);
  await connection(page, 'live');
  for (const name of BUTTONS) await page.getByRole('button', { name, exact: true }).click();
  await jobs(page, '"now"', 'SUCCESS').waitFor();
  await jobs(page, 'not-allowed', 'FAILED').getByText('"maxAttempts": 0').waitFor();
  await jobs(page, 'playground', 'SUCCESS').first().waitFor();
  await jobs(page, '"recurring"', 'SUCCESS').first().waitFor();
  const calls = jobs(page, 'actions.retryableAction', 'SUCCESS');
  await calls.filter({ hasText: '200' }).first().waitFor();
  for (const seconds of [1, 2]) {
    const failed = calls.filter({ hasText: `called again after ${seconds} s` }).first();
    await failed.getByText('Call failed').waitFor();
  }
  await answers(page);
  await followsTheCron(page);
  const graphiql = page.getByRole('link', { name: /GraphiQL.*opens in a new tab/ });
  if ((await graphiql.getAttribute('target')) !== '_blank') throw new Error('GraphiQL replaces the page');
  await seeRecordedFailure(page, calls);
  if ((await page.getByRole('alert').count()) > 0) throw new Error(await page.getByRole('alert').first().innerText());
}
