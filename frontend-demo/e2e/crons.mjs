/* A cron registered through the form ticks on the page; it can be paused, resumed and deleted. */
import { cron, eventually, go, jobs, openLivePage, registerCron } from './page.mjs';

/** The form shows which ticks an edit adds and removes, before it is saved. */
async function edit(page) {
  await page.getByRole('button', { name: 'Edit' }).click();
  const form = page.getByRole('form', { name: 'Change the cron' });
  await form.getByText('Nothing is changed yet.').waitFor();
  await form.getByRole('textbox', { name: 'Interval' }).fill('every 2 minutes');
  await form.getByText(/^Until .*: 7\d\d ticks instead of [\d,]{5,} ticks/).waitFor();
  await form.getByRole('radio', { name: 'Cronspec' }).check();
  await form.getByRole('textbox', { name: 'Cronspec' }).fill('0 3 * * mon');
  await form.getByLabel('Time zone').fill('Europe/Berl');
  await page.getByRole('option', { name: 'Europe/Berlin' }).click();
  await form.getByText('At 03:00, only on Monday').waitFor();
  await form.getByRole('list', { name: 'Next ticks' }).getByText('Mon').nth(9).waitFor();
  await form.getByText(/Ticks until .*: \d+ added, [\d,]{4,} removed/).waitFor();
  await form.getByRole('button', { name: 'Save' }).click();
  await form.waitFor({ state: 'detached' });
  await page.getByText('At 03:00, only on Monday').waitFor();
}

export default async function scenario(page, given) {
  await openLivePage(page, given, '/#/crons');
  await page.getByText('No crons yet.').waitFor();
  await registerCron(page, { name: 'metronome', intervalMs: 1000, args: { name: 'tock' } });
  const row = cron(page, 'metronome');
  await row.getByText('every 1 s').waitFor();

  await go(page, 'Jobs');
  const ticks = jobs(page, 'tock', 'SUCCESS');
  await eventually('three ticks', async () => (await ticks.count()) >= 3);
  await ticks.first().getByText('cron').waitFor();
  await go(page, 'Crons');
  await row.getByText(/ran (just now|\d s ago)/).waitFor();

  await row.getByRole('link', { name: 'metronome' }).click();
  await page.getByRole('heading', { level: 1, name: 'metronome' }).waitFor();
  await page.getByRole('list', { name: 'Runs' }).getByText('tock').first().waitFor();
  await page.getByText(/\d+ of \d+ ran/).waitFor();
  const ticksOfCron = page.getByRole('list', { name: 'Ticks', exact: true });
  await ticksOfCron.getByText('Ran', { exact: true }).nth(2).waitFor();
  await eventually('a run that was asked for', async () => {
    await page.getByRole('button', { name: 'Run now' }).click(); // is rejected while a run has not ended
    return ticksOfCron.getByText('trigger', { exact: true }).first().isVisible();
  });
  await page.getByRole('button', { name: 'Skip next' }).click();
  await ticksOfCron.getByText('on request', { exact: true }).waitFor();
  await edit(page);
  await go(page, 'Crons');

  await row.getByRole('button', { name: 'Pause' }).press('Enter');
  await row.getByText('paused').waitFor();
  await row.locator('button[aria-disabled="false"]:focus', { hasText: 'Resume' }).waitFor(); // it has kept the focus
  await page.keyboard.press('Enter');
  await row.getByText(/next (now|in)/).waitFor();

  await row.getByRole('button', { name: 'Delete' }).click();
  await row.getByText('Really?').click();
  await row.waitFor({ state: 'detached' });
  await page.getByText('No crons yet.').waitFor();
}
