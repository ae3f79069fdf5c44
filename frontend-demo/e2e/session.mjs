/* With the application's sign-in, the page needs no token; without a session it says so. */
import { connection } from './page.mjs';

export default async function scenario(page, given) {
  await page.goto(`${given.baseUrl}/`);
  await page.getByRole('alert').getByText('You are not signed in').waitFor();

  await page.request.post(new URL(`/sign-in/${given.viewer}`, given.baseUrl).href);
  await page.reload();
  await connection(page, 'live');
  await page.getByText(given.viewer, { exact: true }).waitFor();
  if (await page.getByRole('button', { name: 'Change token' }).isVisible()) {
    throw new Error('A page without tokens offers to change the token.');
  }
}
