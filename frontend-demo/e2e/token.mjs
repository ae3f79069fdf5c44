/* A rejected token leads back to the form with a message; a valid one opens the page. */
import { connection, enter } from './page.mjs';

export default async function scenario(page, given) {
  await enter(page, { ...given, token: 'not.a.token' });
  await page.getByRole('alert').getByText('did not accept this token').waitFor();
  await page.getByLabel('Token').fill(`Bearer ${given.token}`);
  await page.getByRole('button', { name: 'Continue' }).click();
  await connection(page, 'live');
  await page.getByText(given.viewer, { exact: true }).waitFor();

  await page.getByRole('button', { name: 'Change token' }).click();
  await page.getByLabel('Token').waitFor();
}
