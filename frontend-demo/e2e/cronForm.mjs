/* The form of a cron explains clock changes and excluded days in its preview, and stores all options; missed ticks of
   the past are run on the page of the cron, and counted by day. */
import { cron, fits, openLivePage } from './page.mjs';

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
  await form.getByRole('status', { name: 'Preview' }).getByText('Enter a duration').waitFor();
  await interval.fill('1 ms');
  await form.getByRole('status', { name: 'Preview' }).getByText(/1,?000/).waitFor();
  await form.getByLabel('Name').fill('nightly');
  await form.getByRole('radio', { name: 'Cronspec' }).check();
  await form.getByRole('textbox', { name: 'Cronspec' }).fill('61 2 * * *');
  await form.getByRole('status', { name: 'Preview' }).getByText('minute must be 0-59').waitFor();
  await form.getByRole('textbox', { name: 'Cronspec' }).fill('30 2 * * *');
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
  const preview = form.getByRole('list', { name: 'Next runs' });
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

/** The next runs and the changed ones begin at one moment: the first added run is the next one. */
async function compare(page) {
  await page.getByRole('button', { name: 'Edit' }).click();
  const form = page.getByRole('form', { name: 'Change the cron' });
  await form.getByText('Nothing is changed yet.').waitFor();
  await form.getByRole('textbox', { name: 'Cronspec' }).fill('*/7 * * * *');
  const changes = form.getByRole('region', { name: 'What changes' });
  await changes.getByText(/Runs until .* added/).waitFor();
  const next = await form.getByRole('list', { name: 'Next runs' }).locator('time').first().getAttribute('datetime');
  const minute = new Date(next).toLocaleTimeString(undefined, { timeStyle: 'medium' });
  await changes.getByRole('listitem').first().getByText(minute).waitFor();
  await form.getByRole('button', { name: 'Cancel' }).click();
}

async function backfill(page) {
  await cron(page, 'hourly').getByRole('link', { name: 'hourly' }).click();
  await compare(page);
  await page.getByRole('button', { name: 'Backfill' }).click();
  const form = page.getByRole('form', { name: 'Run ticks of the past' });
  await form.getByText('24 ticks').waitFor();
  await form.getByRole('button', { name: 'Run them' }).click();
  await page.getByText('Started 24 runs').waitFor();
  await page.getByRole('list', { name: 'Ticks', exact: true }).getByText('Ran, backfill').nth(23).waitFor();
  await page.getByRole('list', { name: 'The last 35 days' }).getByText(/: \d+ ran/).first().waitFor();
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
}

export default async function scenario(page, given) {
  await openLivePage(page, given, '/#/crons');
  await register(page);
  await isStored(page);
  await page.goBack();
  await backfill(page);
}
