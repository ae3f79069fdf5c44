/* Takes the screenshots of the documentation: the live page, and GraphiQL with a subscription.
   Requires OSTINATO_FUNCTIONS=tests.browser.reports. */
import { join } from 'node:path';
import { cron, enter, eventually, go, jobs, openLivePage, registerCron, scheduleJob } from './page.mjs';

export const options = { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1.5 };

const reminder = { functionName: 'tasks.runTask', args: { name: 'reminder' }, delayMs: 3_600_000 };

const SUBSCRIPTION = `subscription Watch {
  jobsChanged(snapshot: true, first: 3) {
    kind
    event { from state at }
    job { functionName args state result }
  }
}
`;

async function fill(page) {
  await registerCron(page, { name: 'heartbeat', intervalMs: 2000, args: { name: 'heartbeat' } });
  await cron(page, 'heartbeat').waitFor();
  await page.getByRole('form').waitFor({ state: 'detached' });
  const cronspec = { cronspec: '0 3 * * *', tz: 'Europe/Berlin', args: { name: 'report' } };
  await registerCron(page, { name: 'nightly-report', ...cronspec });
  await cron(page, 'nightly-report').waitFor();
  await page.getByRole('form').waitFor({ state: 'detached' });
  await registerCron(page, { name: 'weekly-cleanup', intervalMs: 604_800_000 });
  await cron(page, 'weekly-cleanup').getByRole('button', { name: 'Pause' }).click();
  await go(page, 'Jobs');
  await scheduleJob(page, { args: { name: 'invoice 4711' } });
  await scheduleJob(page, { functionName: 'reports.build' });
  await jobs(page, '42 of 100').waitFor();
  await scheduleJob(page, { functionName: 'reports.send', args: { to: 'ada' } });
  await jobs(page, 'reports.send', 'FAILED').waitFor();
  await scheduleJob(page, { ...reminder });
  await jobs(page, 'reminder', 'PENDING').getByRole('button', { name: 'Cancel' }).click();
  await scheduleJob(page, { args: { name: 'follow-up' }, delayMs: 900_000 });
  await jobs(page, 'follow-up', 'PENDING').waitFor();
}

export default async function scenario(page, given) {
  await openLivePage(page, given, '/#/crons');
  await fill(page);
  await eventually('six ticks', async () => (await jobs(page, 'heartbeat', 'SUCCESS').count()) >= 6);
  await page.screenshot({ path: join(given.pictures, 'live.png') });

  await page.goto('about:blank');
  await enter(page, given, `/graphiql?query=${encodeURIComponent(SUBSCRIPTION)}`);
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  await page.getByRole('button', { name: /^Execute/ }).click();
  const response = page.locator('.graphiql-response');
  await eventually('a change to success', async () =>
    /"CHANGED"[^]*"SUCCESS"[^]*"heartbeat"/.test(await response.innerText()),
  );
  await page.screenshot({ path: join(given.pictures, 'graphiql.png') });
}
