/* All jobs that match a filter are canceled and retried in the background, with their progress on the page. */
import { jobs, openLivePage } from './page.mjs';

async function changeAll(page, choice, confirm) {
  await page.getByRole('button', { name: 'Change all…' }).click();
  await page.getByRole('menuitem', { name: choice }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: confirm }).click();
  await page.getByRole('alertdialog').waitFor({ state: 'detached' });
}

async function isDone(page, text) {
  const action = page.getByRole('list', { name: 'Changes of many jobs' }).getByText(text);
  await action.waitFor();
  await page.getByRole('button', { name: 'Dismiss' }).click();
  await action.waitFor({ state: 'detached' });
}

export default async function scenario(page, given) {
  await openLivePage(page, given, '/#/jobs?tag=invoice');
  await given.request('schedule jobs');
  await page.getByRole('button', { name: 'Pending 3' }).waitFor();
  await changeAll(page, 'Cancel 3 jobs', 'Cancel them');
  await isDone(page, '3 jobs canceled.');
  await page.getByRole('button', { name: 'Canceled 3' }).waitFor();

  await changeAll(page, 'Retry 3 jobs', 'Retry them');
  await isDone(page, '3 jobs retried.');
  await jobs(page, 'invoice 2', 'SUCCESS').waitFor();

  await page.getByRole('button', { name: 'Remove the filter tag' }).click();
  await jobs(page, 'another', 'PENDING').waitFor();
  await page.getByRole('searchbox').fill('another');
  await page.getByText('1 of 4 loaded jobs matches.').waitFor();
  await page.getByRole('button', { name: 'Change all…' }).click();
  await page.getByRole('menuitem', { name: 'Cancel all' }).getByText('cannot search arguments').waitFor();
}
