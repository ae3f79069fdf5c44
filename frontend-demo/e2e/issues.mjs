/* Issues are shown at their fields, all at once and each once, and disappear when corrected. */
import { areShownOnce, cron, openLivePage, registerCron } from './page.mjs';

async function isMarked(page) {
  const field = page.getByRole('textbox', { name: 'Interval' });
  if ((await field.getAttribute('aria-invalid')) !== 'true') throw new Error('not marked invalid');
  const described = await field.getAttribute('aria-describedby');
  await page.locator(`[id="${described}"] .issue`).waitFor();
}

/** The arguments of another function replace those with an issue. */
async function forgetsArguments(form) {
  const forgotten = () => form.locator('[data-field="args"]').waitFor({ state: 'detached' });
  await form.getByLabel('Function').selectOption('actions.retryableAction');
  await forgotten();
  await form.getByLabel('Arguments').fill('{');
  await form.getByRole('button', { name: 'Register' }).click();
  await areShownOnce(form, { args: 'This is not JSON.' });
  await form.getByLabel('Function').selectOption('tasks.runTask');
  await forgotten();
}

export default async function scenario(page, given) {
  await openLivePage(page, given, '/#/crons');
  const form = page.getByRole('form', { name: 'Register a cron' });
  await page.getByRole('button', { name: 'New cron' }).click();
  await form.getByText('Overlap, catch-up, limits').click();
  await form.getByLabel('Jitter').fill('2 d');
  await form.getByLabel('Maximum number of runs').fill('0');
  await registerCron(page, { name: 'too-fast', intervalMs: 5, args: { nam: 'x' } });
  await areShownOnce(form, {
    intervalMs: 'Interval is 5 milliseconds; it must be 1 second to 5 years',
    jitterMs: 'Jitter must be 0 to 1 day, got 2 d.',
    maxRuns: 'Maximum number of runs must be 1 to 1,000,000,000, got 0.',
    args: "there is no argument 'nam'",
  });
  await isMarked(page);
  await forgetsArguments(form);

  await form.getByLabel('Maximum number of runs').fill('many');
  await registerCron(page, { name: '', intervalMs: 'soon' });
  await areShownOnce(form, { name: 'Name must not be empty.', intervalMs: 'Enter a duration', maxRuns: 'Enter a whole number' });

  await form.getByLabel('Maximum number of runs').fill('');
  await form.getByLabel('Jitter').fill('');
  await registerCron(page, { name: 'too-fast', cronspec: 'every day', tz: 'Mars/Olympus', args: {} });
  await page.locator('[data-field="cronspec"]').first().waitFor();
  await page.locator('[data-field="tz"]').first().waitFor();

  await registerCron(page, { name: 'too-fast', cronspec: '0 3 * * *', tz: 'Europe/Berlin' });
  await cron(page, 'too-fast').getByText('0 3 * * *').waitFor();
  await page.getByRole('form').waitFor({ state: 'detached' });

  await registerCron(page, { name: 'too-fast', intervalMs: 60_000 });
  await page.getByRole('form').getByRole('alert').filter({ hasText: 'too-fast' }).waitFor();
}
