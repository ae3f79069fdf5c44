/* The overview shows unresolved alerts, crons that do not run as planned, and queues that no worker serves. */
import { fits, openLivePage } from './page.mjs';

export default async function scenario(page, given) {
  await openLivePage(page, given, '/#/overview');
  await page.getByRole('list', { name: 'Unresolved alerts' }).getByText('the function has failed').waitFor();
  const crons = page.getByRole('list', { name: 'Late or stopped crons' });
  await crons.getByText(/Late: it was due \d+ d ago/).waitFor();
  await crons.getByText('Paused: its last runs have failed').waitFor();
  if ((await crons.getByText('yearly').count()) > 0) throw new Error('A cron that runs as planned is listed.');
  await page.getByText('No worker is running: no job starts.').waitFor();
  await page.getByRole('region', { name: 'Capacity' }).getByRole('link', { name: 'default' }).waitFor();
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);

  await page.getByRole('list', { name: 'Unresolved alerts' }).getByRole('button', { name: 'Resolve' }).click();
  await page.getByText('No unresolved alerts.').waitFor();
  await crons.getByRole('link', { name: 'nightly' }).click();
  await page.getByRole('heading', { level: 1, name: 'nightly' }).waitFor();
}
