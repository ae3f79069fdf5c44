/* The form of a cron explains clock changes and excluded days in its preview, and stores all options; missed ticks of
   the past are run on the page of the cron, and counted by day. */
import { areShownOnce, cron, fits, openLivePage } from './page.mjs';

/** Return the date of the last Sunday of next March: the clocks of Europe skip 02:30 on it. */
function clockChange() {
  const day = new Date(Date.UTC(new Date().getUTCFullYear() + 1, 2, 31));
  day.setUTCDate(31 - day.getUTCDay());
  return day;
}

function daysBefore(day, count) {
  return new Date(day.getTime() - count * 86_400_000).toISOString().slice(0, 10);
}

async function fillSchedule(page, form) {
  const interval = form.getByRole('textbox', { name: 'Interval' });
  await interval.fill('soon');
  await areShownOnce(form, { intervalMs: 'Enter a duration' });
  await interval.fill('1 ms');
  await areShownOnce(form, { intervalMs: 'Interval is 1 ms; it must be 1 second to 5 years' });
  await form.getByLabel('Name').fill('nightly');
  await form.getByRole('radio', { name: 'Cronspec' }).check();
  await form.getByRole('textbox', { name: 'Cronspec' }).fill('61 2 * * *');
  await areShownOnce(form, { cronspec: 'minute must be 0-59' });
  await form.locator('[name="cronspec"][aria-invalid="true"]').waitFor();
  await form.getByRole('textbox', { name: 'Cronspec' }).fill('30 2 * * *');
  await form.locator('[name="cronspec"][aria-invalid="false"]').waitFor(); // without being sent
  await form.getByLabel('Time zone').fill('Europe/Berlin');
  await page.keyboard.press('Tab'); // closes the suggestions
}

async function register(page) {
  const sunday = clockChange();
  await page.getByRole('button', { name: 'New cron' }).click();
  const form = page.getByRole('form', { name: 'Register a cron' });
  await fillSchedule(page, form);
  await form.getByText('Overlap, catch-up, limits').click();
  await form.getByLabel('Start').fill(`${daysBefore(sunday, 3)}T00:00:00`);
  const preview = form.getByRole('list', { name: 'Next ticks' });
  await preview.getByText('the clocks skip 02:30').waitFor();
  await form.getByText('When the clocks change').click();
  await form.getByLabel('A time that is skipped').selectOption('do not run');
  await preview.getByText('does not run: the clocks skip 02:30').waitFor();

  await form.getByText('Days without runs').click();
  await form.getByLabel('Days and ranges').fill('soon');
  await form.getByRole('button', { name: 'Register' }).click();
  await form.getByRole('alert').getByText("'soon' is no day").waitFor();
  await form.getByLabel('Days and ranges').fill(`${daysBefore(sunday, 2)} to ${daysBefore(sunday, 1)}`);
  await form.getByRole('checkbox', { name: 'Wed' }).check();
  await preview.getByText('does not run: excluded').nth(2).waitFor();
  await form.getByLabel('Maximum number of runs').fill('12');
  await form.getByLabel('Catch-up window').fill('2 h');
  await form.getByLabel('Pause after failures').fill('5');
  await form.getByRole('button', { name: 'Register' }).click();
  await form.waitFor({ state: 'detached' });
}

async function isStored(page) {
  await cron(page, 'nightly').getByRole('link', { name: 'nightly' }).click();
  const facts = page.getByRole('region', { name: 'Schedule' });
  await facts.getByText('does not run at a skipped time').waitFor();
  await facts.getByText(/^Wed; \d{4}-03-\d\d to \d{4}-03-\d\d$/).waitFor();
  for (const text of ['12', '2 h', '5 failed runs in a row']) await facts.getByText(text, { exact: true }).waitFor();
}

/** The next ticks and the changed ones begin at one moment: the first added tick is the next one. */
async function compare(page) {
  await page.getByRole('button', { name: 'Edit' }).click();
  const form = page.getByRole('form', { name: 'Change the cron' });
  await form.getByText('Nothing is changed yet.').waitFor();
  await form.getByRole('textbox', { name: 'Cronspec' }).fill('*/7 * * * *');
  const changes = form.getByRole('region', { name: 'What changes' });
  await changes.getByText(/Ticks until .* added/).waitFor();
  const next = await form.getByRole('list', { name: 'Next ticks' }).locator('time').first().getAttribute('datetime');
  const minute = new Date(next).toLocaleTimeString('en-GB');
  await changes.getByRole('listitem').first().getByText(minute).waitFor();
  await form.getByRole('button', { name: 'Cancel' }).click();
}

/** The form begins with as many ticks as can be run; more have one issue, at the end of the period. */
async function limitBackfill(page) {
  await cron(page, 'minutely').getByRole('link', { name: 'minutely' }).click();
  await page.getByRole('button', { name: 'Backfill' }).click();
  const form = page.getByRole('form', { name: 'Run ticks of the past' });
  await form.getByText('500 ticks').waitFor();
  const from = form.getByLabel('From');
  await from.fill(`${daysBefore(new Date(), 1)}${(await from.inputValue()).slice(10)}`);
  const issue = { to: /^The period has more than 500 ticks: end it at .*, and continue from there\.$/ };
  await areShownOnce(form, issue);
  await form.getByRole('button', { name: 'Run them' }).click();
  await areShownOnce(form, issue);
  await form.locator('[name="to"]:focus').waitFor();
  await form.getByRole('button', { name: 'Cancel' }).click();
  await page.goBack();
}

async function backfill(page) {
  await cron(page, 'hourly').getByRole('link', { name: 'hourly' }).click();
  await compare(page);
  await page.getByRole('button', { name: 'Backfill' }).click();
  const form = page.getByRole('form', { name: 'Run ticks of the past' });
  await form.getByText('24 ticks').waitFor();
  await form.getByRole('button', { name: 'Run them' }).click();
  await page.getByText('Started 24 runs').waitFor();
  await page.getByRole('list', { name: 'Ticks', exact: true }).getByText('backfill', { exact: true }).nth(23).waitFor();
  await page.getByRole('list', { name: 'The last 35 days' }).getByText(/: \d+ ran/).first().waitFor();
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
}

export default async function scenario(page, given) {
  await openLivePage(page, given, '/#/crons');
  await register(page);
  await isStored(page);
  await page.goBack();
  await limitBackfill(page);
  await backfill(page);
}
