/* In development, the page offers the users of the server; admin sees what belongs to the system. */
import { connection, cron } from './page.mjs';

export default async function scenario(page, given) {
  await page.goto(`${given.baseUrl}/#/crons`);
  await connection(page, 'live');
  const user = page.getByLabel('User');
  await cron(page, 'of alice').waitFor();
  if ((await cron(page, 'of the system').count()) > 0) throw new Error('alice sees all crons');

  await user.selectOption('admin');
  await cron(page, 'of the system').waitFor();
  await cron(page, 'of alice').waitFor();

  await user.selectOption('bob');
  await page.getByText('No crons').waitFor();
  await page.reload();
  await page.getByText('No crons').waitFor();
}
