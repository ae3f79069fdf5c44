/* Users sign in at an issuer: the view is kept, a reload signs in again, and no token is stored. */
import { connection, eventually } from './page.mjs';

/** Fail if any storage contains a token: each has three parts, and the first starts with `eyJ`. */
async function requireNoToken(page) {
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  if (/eyJ[\w-]+\.eyJ/.test(stored)) throw new Error(`a token is stored: ${stored}`);
}

export default async function scenario(page, given) {
  const signIn = page.getByRole('button', { name: 'Sign in' });
  await given.request('deny');
  await page.goto(`${given.baseUrl}/#/crons`);
  await signIn.click();
  await page.getByRole('alert').getByText('ann may not use this').waitFor();

  await given.request('allow');
  await signIn.click();
  await connection(page, 'live');
  await page.getByText('ann', { exact: true }).waitFor();
  await page.getByRole('heading', { level: 1, name: 'Crons' }).waitFor();
  if (page.url().includes('code=')) throw new Error(`the code is in the address: ${page.url()}`);
  await requireNoToken(page);

  await eventually('the token is renewed', async () => (await given.request('count renewals')) > 0);
  await page.reload();
  await connection(page, 'live');
  await page.getByRole('heading', { level: 1, name: 'Crons' }).waitFor();
  await requireNoToken(page);

  await page.getByRole('button', { name: 'Sign out' }).click();
  await signIn.waitFor();
  await page.reload();
  await signIn.waitFor();
}
