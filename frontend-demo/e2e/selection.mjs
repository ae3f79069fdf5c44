/* Selected jobs are rescheduled, canceled and retried together; a range is selected with Shift. */
import { fits, openLivePage } from './page.mjs';

function box(page, index) {
  return page.getByRole('checkbox', { name: /^Select job/ }).nth(index);
}

function bar(page) {
  return page.getByRole('region', { name: 'Selected jobs' });
}

async function isDone(page, text) {
  const action = page.getByRole('list', { name: 'Changes of many jobs' }).getByText(text);
  await action.waitFor();
  await page.getByRole('button', { name: 'Dismiss' }).click();
  await action.waitFor({ state: 'detached' });
}

/** Four jobs, the last of which is deselected again. */
async function selectThree(page) {
  await page.getByRole('button', { name: 'Select' }).click();
  await box(page, 0).click();
  await box(page, 3).click({ modifiers: ['Shift'] });
  await bar(page).getByText('4 selected').waitFor();
  await box(page, 3).focus();
  await page.keyboard.press('Space');
  await bar(page).getByText('3 selected').waitFor();
}

async function reschedule(page) {
  await bar(page).getByRole('button', { name: 'Reschedule' }).click();
  const form = page.getByRole('form', { name: 'Reschedule the selected jobs' });
  const inTwoYears = new Date().getFullYear() + 2;
  await form.getByLabel('Run at').fill(`${inTwoYears}-01-01T00:00:00`);
  await form.getByRole('button', { name: 'Reschedule' }).click();
  await isDone(page, '3 jobs rescheduled.');
  await page.getByText(/^due in \d{3} d$/).nth(2).waitFor();
}

export default async function scenario(page, given) {
  await given.request('schedule jobs');
  await openLivePage(page, given);
  await selectThree(page);
  await reschedule(page);
  await bar(page).getByText('0 selected').waitFor();

  await box(page, 1).click();
  await box(page, 2).click();
  await bar(page).getByRole('button', { name: 'Cancel 2 selected jobs' }).click();
  await isDone(page, '2 jobs canceled.');
  await box(page, 1).click();
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
  await bar(page).getByRole('button', { name: 'Retry 1 selected job' }).click();
  await isDone(page, '1 job retried.');
  await bar(page).getByRole('button', { name: 'Done' }).click();
  await box(page, 0).waitFor({ state: 'detached' });
}
