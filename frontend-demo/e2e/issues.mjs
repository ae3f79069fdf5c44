/* Errors of the server are shown at their fields, and disappear when corrected. */
import { cron, openLivePage, registerCron } from './page.mjs';

export default async function scenario(page, given) {
  await openLivePage(page, given, '/#/crons');
  await registerCron(page, { name: 'too-fast', intervalMs: 5 });
  const issue = page.locator('[data-field="intervalMs"]');
  await issue.getByText('Interval is 5; it must be at least 1000').waitFor();
  const field = page.getByRole('textbox', { name: 'Interval' });
  if ((await field.getAttribute('aria-invalid')) !== 'true') throw new Error('not marked invalid');
  const described = await field.getAttribute('aria-describedby');
  await page.locator(`[id="${described}"] .issue`).waitFor();

  await field.fill('soon');
  await page.getByRole('button', { name: 'Register' }).click();
  await issue.getByText('Enter a duration').waitFor();

  await registerCron(page, { name: '', intervalMs: 60_000 });
  await page.locator('[data-field="name"]').getByText('Name must not be empty.').waitFor();
  await registerCron(page, { name: 'too-fast', cronspec: 'every day', tz: 'Mars/Olympus' });
  await page.locator('[data-field="cronspec"]').first().waitFor();
  await page.locator('[data-field="tz"]').first().waitFor();

  await registerCron(page, { name: 'too-fast', cronspec: '0 3 * * *', tz: 'Europe/Berlin' });
  await cron(page, 'too-fast').getByText('0 3 * * *').waitFor();
  await page.getByRole('form').waitFor({ state: 'detached' });

  await registerCron(page, { name: 'too-fast', intervalMs: 60_000 });
  await page.getByRole('form').getByRole('alert').filter({ hasText: 'too-fast' }).waitFor();
}
