/* The actions of a user on the live page. */

/** Open a page, and paste the token if it asks for one. */
export async function enter(page, { baseUrl, token }, path = '/') {
  await page.goto(`${baseUrl}${path}`);
  const field = page.getByLabel('Token');
  await page.locator('[data-connection]:visible, .graphiql-container').or(field).first().waitFor();
  if (!(await field.isVisible())) return;
  await field.fill(token);
  await page.getByRole('button', { name: 'Continue' }).click();
}

export async function connection(page, state) {
  await page.locator(`[data-connection="${state}"]:visible`).waitFor({ timeout: 60_000 });
}

/** Open the page of jobs, or another of the application. */
export async function openLivePage(page, given, path = '/#/jobs') {
  await enter(page, given, path);
  await connection(page, 'live');
}

/** Go to another page of the application, by its name in the navigation. */
export async function go(page, name) {
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name }).click();
  await page.getByRole('heading', { level: 1, name }).waitFor();
}

export function cron(page, name) {
  return page.locator(`[data-cron="${name}"]`);
}

export function jobs(page, text, state) {
  const rows = page.locator(state ? `[data-state="${state}"]` : '[data-job]');
  return rows.filter({ hasText: text });
}

/** Fill in and send the form on the page of crons; it closes if the server accepts the cron. */
export async function registerCron(page, { name, intervalMs, cronspec, tz, functionName, args }) {
  const form = page.getByRole('form', { name: 'Register a cron' });
  if (!(await form.isVisible())) await page.getByRole('button', { name: 'New cron' }).click();
  await form.getByLabel('Name').fill(name);
  if (cronspec) {
    await form.getByRole('radio', { name: 'Cronspec' }).check();
    await form.getByRole('textbox', { name: 'Cronspec' }).fill(cronspec);
    await form.getByLabel('Time zone').fill(tz);
    await page.keyboard.press('Tab'); // closes the suggestions
  } else {
    await form.getByRole('textbox', { name: 'Interval' }).fill(String(intervalMs));
  }
  if (functionName) await form.getByLabel('Function').selectOption(functionName);
  if (args) await form.getByLabel('Arguments').fill(JSON.stringify(args));
  await form.getByRole('button', { name: 'Register' }).click();
}

/** Fail unless each of these fields has its message, which is nowhere else in the form. */
export async function areShownOnce(form, issues) {
  for (const [field, text] of Object.entries(issues)) {
    await form.locator(`[data-field="${field}"]`).getByText(text).waitFor();
    const count = await form.getByText(text).count();
    if (count !== 1) throw new Error(`"${text}" is shown ${count} times`);
  }
}

/** Schedule a job with the form on the page of jobs. */
export async function scheduleJob(page, { functionName, args, delay = '', tags = '' }) {
  const form = page.getByRole('form', { name: 'Schedule a job' });
  if (!(await form.isVisible())) await page.getByRole('button', { name: 'Schedule job' }).click();
  if (functionName) await form.getByLabel('Function').selectOption(functionName);
  if (args) await form.getByLabel('Arguments').fill(JSON.stringify(args));
  await form.getByLabel('Delay').fill(delay);
  await form.getByLabel('Tags').fill(tags);
  await form.getByRole('button', { name: 'Schedule' }).click();
  await form.waitFor({ state: 'detached' });
}

/** Wait until `check` returns a truthy value; the state of a page has no event to wait for. */
export async function eventually(what, check, within = 60_000) {
  const deadline = Date.now() + within;
  for (;;) {
    if (await check()) return;
    if (Date.now() > deadline) throw new Error(`timeout after ${within} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Fail if the page is wider than the window. */
export async function fits(page) {
  await eventually('the page fits into the window', () =>
    page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
  );
}
