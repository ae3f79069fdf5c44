/* Similar failures are in one group, live; one of them is resolved or retried, and so is a group, and all that match. */
import { eventually, fits, openLivePage } from './page.mjs';

/** The group of failures with a text, such as `user 3`. */
function group(page, text) {
  return page.locator('[data-failures]').filter({ hasText: text });
}

async function confirm(page, name) {
  await page.getByRole('alertdialog').getByRole('button', { name }).click();
  await page.getByRole('alertdialog').waitFor({ state: 'detached' });
}

async function isDone(page, text) {
  await page.getByRole('list', { name: 'Changes of many jobs' }).getByText(text).waitFor();
  await page.getByRole('button', { name: 'Dismiss' }).click();
}

/** The newest failure has its error, its arguments and its job; it can be resolved alone. */
async function resolveOne(page) {
  const users = group(page, 'user');
  await users.getByText('Newest failure').focus();
  await page.keyboard.press('Enter');
  await users.getByRole('region', { name: 'Arguments' }).getByText('"to": "user ').waitFor();
  await users.getByRole('link', { name: 'reports.send' }).nth(1).click();
  await page.getByRole('heading', { level: 1, name: 'reports.send' }).waitFor();
  await page.goBack();
  await users.getByText('Newest failure').click();
  await users.getByRole('button', { name: 'Resolve this one' }).click();
  await users.getByText('2 failures', { exact: true }).waitFor();
}

/** A job that fails again is in the group again, with its details closed. */
async function retryOne(page) {
  const eve = group(page, 'eve');
  await eve.getByText('Details').click();
  await eve.getByText('Attempts').waitFor();
  await eve.getByRole('button', { name: 'Retry this one' }).click();
  await eventually('its second attempt has failed', async () => {
    if (!(await eve.locator('details[open]').isVisible())) await eve.getByText('Details').click();
    return eve.getByRole('definition').getByText('2', { exact: true }).isVisible();
  });
}

/** The outcome of a retry leads to the jobs. */
async function seesJobsOfRetry(page) {
  const outcome = page.getByRole('list', { name: 'Changes of many jobs' });
  await outcome.getByText('2 jobs retried.').waitFor();
  await outcome.getByText('Those that fail again are listed here again.').waitFor();
  const path = await outcome.getByRole('link', { name: 'See the jobs of reports.send' }).getAttribute('href');
  if (!path.includes('/jobs?function=reports.send')) throw new Error(`leads to ${path}`);
}

/** Groups keep their places while newer failures arrive, until somebody asks for the newest. */
async function keepsOrder(page) {
  const order = () => page.locator('[data-failures] h2').allInnerTexts();
  const before = await order();
  await retryOne(page);
  await page.getByRole('button', { name: 'Newer failures first' }).waitFor();
  const meanwhile = await order();
  if (`${meanwhile}` !== `${before}`) throw new Error(`moved from ${before} to ${meanwhile}`);
  await page.getByRole('button', { name: 'Newer failures first' }).click();
  await eventually('the newest are first', async () => `${await order()}` === `${before.toReversed()}`);
  await page.getByRole('button', { name: 'Newer failures first' }).waitFor({ state: 'detached' });
}

/** Resolved failures are kept, with a filter in the address. */
async function seeResolved(page) {
  await page.getByRole('button', { name: 'Resolved' }).click();
  await group(page, 'user').getByText('1 failure', { exact: true }).waitFor();
  await page.reload();
  await group(page, 'user').getByText('1 failure', { exact: true }).waitFor();
  if (await page.getByRole('button', { name: /^Retry/ }).isVisible()) throw new Error('offers to retry resolved ones');
  await page.getByRole('button', { name: 'Open', exact: true }).click();
}

export default async function scenario(page, given) {
  await openLivePage(page, given, '/#/failures');
  await page.getByText('No open failures.').waitFor();
  await given.request('fail one job');
  await group(page, 'eve').waitFor();
  await given.request('fail similar jobs');
  await group(page, 'user').getByText('3 failures', { exact: true }).waitFor();
  await page.getByText('2 groups').waitFor();
  await keepsOrder(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
  await page.setViewportSize({ width: 1280, height: 900 });

  await resolveOne(page);
  await group(page, 'user').getByRole('img', { name: /^2 failures in the last 24 hours/ }).waitFor();
  await seeResolved(page);
  await group(page, 'user').getByRole('button', { name: 'Retry 2 failures of reports.send' }).click();
  await confirm(page, 'Retry them');
  await seesJobsOfRetry(page);
  await isDone(page, '2 jobs retried.');
  await group(page, 'user').getByText('2 failures', { exact: true }).waitFor();
  await group(page, 'user').getByRole('button', { name: 'Resolve 2 failures of reports.send' }).click();
  await confirm(page, 'Resolve them');
  await isDone(page, '2 failures resolved.');
  await group(page, 'user').waitFor({ state: 'detached' });
  await page.getByText('1 group', { exact: true }).waitFor();

  await page.goto(`${given.baseUrl}/#/failures?function=tasks.runTask`);
  await page.getByText('No failures match the filter.').waitFor();
  await page.getByRole('button', { name: 'Remove the filter function' }).click();
  await group(page, 'eve').waitFor();
  await page.getByRole('button', { name: 'Resolve 1 matching failure' }).click();
  await confirm(page, 'Resolve it');
  await page.getByText('No open failures.').waitFor();
}
