/* A filter is in the address, so that it survives a reload and can be shared; it can be removed part by part. */
import { jobs, openLivePage } from './page.mjs';

async function showsOnly(page, text) {
  await jobs(page, text).waitFor();
  await page.waitForFunction(() => document.querySelectorAll('[data-job]').length === 1);
}

function isInAddress(page, text) {
  return page.waitForFunction((part) => location.hash.includes(part), text);
}

async function filterByFunction(page, part, name) {
  await page.getByRole('button', { name: 'Filter', exact: true }).click();
  const form = page.getByRole('form', { name: 'Filter jobs' });
  if ((await form.getByLabel('Owner').count()) > 0) throw new Error('alice may filter by owner');
  await form.getByLabel('Function').fill(part);
  await page.getByRole('option', { name, exact: true }).click();
  await form.getByRole('button', { name: 'Show jobs' }).click();
  await form.waitFor({ state: 'detached' });
}

/** Change the address only, as a shared link would in an open page. */
async function follow(page, search) {
  await page.evaluate((to) => (location.hash = to), `#/jobs${search}`);
}

export default async function scenario(page, given) {
  await openLivePage(page, given);
  await given.request('schedule jobs');
  await jobs(page, 'reports.send', 'FAILED').waitFor();

  await filterByFunction(page, 'rep', 'reports.send');
  await isInAddress(page, 'function=reports.send');
  await showsOnly(page, 'reports.send');
  await page.getByRole('button', { name: /^Failed/ }).click();
  await isInAddress(page, 'state=FAILED');
  await page.reload();
  await showsOnly(page, 'reports.send');
  await page.getByRole('button', { name: 'Remove the filter function' }).click();
  await page.getByRole('button', { name: /^Failed/ }).click();
  await jobs(page, 'labelled').waitFor();

  for (const search of ['?tag=invoice', '?tag=eu%20invoice', '?key=order%204711', '?queue=mail']) {
    await follow(page, search);
    await showsOnly(page, 'labelled');
  }
  await follow(page, '?from=2999-01-01T00:00:00.000Z');
  await page.getByText('No jobs match the filter.').waitFor();
  await page.getByRole('button', { name: 'Show all jobs' }).click();
  await jobs(page, 'reports.send').waitFor();

  await page.getByRole('searchbox').fill('"TO":"ada');
  await isInAddress(page, 'args=');
  await showsOnly(page, 'reports.send');
  await page.getByText('1 of 3 loaded jobs matches.').waitFor();
  await page.goBack();
  await page.goForward();
  await showsOnly(page, 'reports.send');
}
