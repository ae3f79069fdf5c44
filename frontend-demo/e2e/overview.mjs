/* The overview counts jobs by state, draws what attempts did, and lists what runs; the range is in the address. */
import { eventually, go, openLivePage, scheduleJob } from './page.mjs';

async function counts(page, state, number) {
  const shown = page.getByRole('list', { name: 'Jobs by state' }).getByRole('link', { name: state });
  await shown.getByText(number, { exact: true }).waitFor();
}

async function draws(page, label) {
  await eventually(label, async () => (await page.getByRole('img', { name: label }).count()) === 1);
}

/** Values are read with arrow keys, and with the pointer. */
async function readValues(page) {
  const values = page.getByRole('slider', { name: 'Failed attempts: values' });
  await values.focus();
  await eventually('the failure is read by keyboard', async () => {
    if (/job failed 1$/.test(await values.getAttribute('aria-valuetext'))) return true;
    await page.keyboard.press('ArrowLeft');
    return false;
  });
  const figure = page.getByRole('figure').filter({ hasText: 'Failed attempts' });
  await figure.getByText('job failed 1', { exact: true }).waitFor();
  await page.keyboard.press('Tab');
  await figure.getByText('job failed 1', { exact: true }).waitFor({ state: 'detached' });
  await figure.getByRole('img').hover();
  await figure.getByText(/^job failed \d+$/).waitFor();
}

export default async function scenario(page, given) {
  await openLivePage(page, given);
  await scheduleJob(page, { functionName: 'reports.send', args: { to: 'ada' } });
  await scheduleJob(page, { functionName: 'reports.build' });
  await go(page, 'Overview');
  await counts(page, 'Failed', '1');
  await counts(page, 'In progress', '1');
  await draws(page, 'Failed attempts, in total: retried 0, job failed 1');
  await readValues(page);
  await page.getByRole('list', { name: 'Running jobs' }).getByText('42 of 100').waitFor();

  await page.getByRole('button', { name: '24 h' }).click();
  await eventually('the range is in the address', async () => page.url().endsWith('#/overview?range=24h'));
  await draws(page, 'Failed attempts, in total: retried 0, job failed 1');
  await page.reload();
  await page.getByRole('button', { name: '24 h', pressed: true }).waitFor();
}
