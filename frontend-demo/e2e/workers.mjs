/* Admins see the queues and the workers, pause a queue and resume it; the palette opens a page by its name, and runs
   commands. */
import { eventually, fits, openLivePage } from './page.mjs';

/** Where there is no keyboard, a button in the header opens the palette. */
async function searchByTouch(page) {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByRole('button', { name: 'Go to…' }).click();
  await page.getByRole('combobox', { name: 'Go to' }).fill('que');
  await page.getByRole('option', { name: 'Queues' }).click();
  await page.getByRole('heading', { level: 1, name: 'Queues' }).waitFor();
  await fits(page);
}

/** After a page was opened, it has the focus; a command opens a form, which has it, too. */
async function runsCommands(page) {
  await eventually('the page has the focus', () => page.evaluate(() => document.activeElement?.id === 'main'));
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox', { name: 'Go to' }).fill('theme dark');
  await page.keyboard.press('Enter');
  await page.locator('html[data-theme="dark"]').waitFor();
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox', { name: 'Go to' }).fill('schedule');
  await page.keyboard.press('Enter');
  const form = page.getByRole('form', { name: 'Schedule a job' });
  await form.locator('select:focus').waitFor();
  await page.keyboard.press('Escape');
  await form.waitFor({ state: 'detached' });
}

export default async function scenario(page, given) {
  await openLivePage(page, given, '/#/queues');
  const row = page.getByRole('row').filter({ hasText: 'default' });
  await row.getByText('Running').waitFor();
  await row.getByRole('button', { name: 'Pause' }).click();
  await row.getByText('Paused').waitFor();
  await row.getByRole('button', { name: 'Resume' }).click();
  await row.getByText('Running').waitFor();

  await page.keyboard.press('Control+k');
  await page.getByRole('combobox', { name: 'Go to' }).fill('work');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Workers' }).waitFor();
  await page.getByRole('table', { name: 'Workers' }).getByText('default').waitFor();
  await runsCommands(page);

  await page.keyboard.press('Control+k');
  await page.getByRole('combobox', { name: 'Go to' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('combobox', { name: 'Go to' }).waitFor({ state: 'detached' });
  await searchByTouch(page);
}
