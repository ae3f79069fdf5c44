/* A token that the server does not accept leads back to the form, which says so; a good one enters. */
import { inBrowser } from './browser.mjs';
import { connection, enter } from './page.mjs';

await inBrowser(async (page) => {
  const token = process.env.TOKEN;
  process.env.TOKEN = 'not.a.token';
  await enter(page);
  await page.getByRole('alert').getByText('did not accept this token').waitFor();
  await page.getByLabel('Token').fill(`Bearer ${token}`);
  await page.getByRole('button', { name: 'Continue' }).click();
  await connection(page, 'live');
  await page.getByText(process.env.VIEWER, { exact: true }).waitFor();

  await page.getByRole('button', { name: 'Change token' }).click();
  await page.getByLabel('Token').waitFor();
});
