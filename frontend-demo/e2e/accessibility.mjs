/* axe finds no serious violation on any page, nor in what its buttons open, and nothing is cut off.
   Requires the data of tests/browser/shop_data.py, and an admin. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { enter, registerCron } from './page.mjs';
import { everyAddress, openAddress, rejectLayoutFaults, settle } from './everyPage.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const REJECTED = ['serious', 'critical'];
/** What opens something over the page: forms, menus, the palette and the navigation of narrow screens. */
const OPENERS = 'button[aria-haspopup]:visible:enabled';
const DIALOG = '[role="dialog"], [role="alertdialog"]';
const OPENED = `${DIALOG}, [role="menu"], [role="listbox"]`;
const ITEMS = '[role="menuitem"][aria-haspopup]:not([aria-disabled="true"])';
/** Pages that offer more with a filter. */
const FILTERED = ['jobs?owner=shop'];

async function violationsOf(page, context) {
  await page.evaluate(AXE);
  const { violations, passes } = await page.evaluate(
    (options) => axe.run(...options),
    [context, { resultTypes: ['violations'], preload: false }],
  );
  if (passes.length < 5) throw new Error('axe has checked almost nothing');
  return violations.filter(({ impact }) => REJECTED.includes(impact));
}

/** Return a line for each element that violates a rule. */
async function inspect(page, what, context = { exclude: [] }) {
  await rejectLayoutFaults(page, what);
  const found = await violationsOf(page, context);
  return found.flatMap(({ id, impact, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${what}: ${impact} ${id}: ${target}: ${failureSummary}`),
  );
}

/** Inspect what a button or an item of a menu opens. */
async function inspectAfterClick(page, opener, what, opened = OPENED) {
  await opener.click();
  await page.locator(opened).first().waitFor();
  await settle(page);
  return inspect(page, what);
}

async function close(page) {
  await page.keyboard.press('Escape');
  await page.locator(OPENED).first().waitFor({ state: 'detached' });
}

async function inspectOpened(page, address) {
  const found = [];
  const names = await page.locator(OPENERS).evaluateAll((all) => all.map((each) => each.innerText || each.ariaLabel));
  for (const [position, name] of names.entries()) {
    if (names.indexOf(name) !== position) continue; // the same button of another row
    const opener = page.locator(OPENERS).nth(position);
    found.push(...(await inspectAfterClick(page, opener, `${address}, ${name}`)));
    const items = await page.locator(ITEMS).count();
    await close(page);
    for (let item = 0; item < items; item += 1) {
      await opener.click();
      const what = `${address}, ${name} ${item + 1}`;
      found.push(...(await inspectAfterClick(page, page.locator(ITEMS).nth(item), what, DIALOG)));
      await close(page);
    }
  }
  return found;
}

/** Inspect the page with its details unfolded. */
async function inspectDetails(page, address) {
  const opened = await page.locator('main details').evaluateAll((all) => all.map((each) => (each.open = true)).length);
  if (opened === 0) return [];
  await settle(page);
  return inspect(page, `${address}, unfolded`);
}

/** Inspect a form with an issue at a field. */
async function inspectIssue(page, given) {
  await openAddress(page, given, 'crons');
  await registerCron(page, { name: 'too-fast', intervalMs: 5 });
  await page.locator('[role="dialog"] .issue').first().waitFor();
  return inspect(page, 'a form with an issue');
}

/** GraphiQL itself is not ours; what surrounds it, and its logo, are. */
async function inspectGraphiql(page, given) {
  await page.goto('about:blank');
  await enter(page, given, '/graphiql');
  await page.locator('.graphiql-logo').waitFor();
  return inspect(page, 'graphiql', { include: [['html'], ['.graphiql-logo']], exclude: [['.graphiql-container']] });
}

export default async function scenario(page, given) {
  await page.setViewportSize({ width: given.width, height: 900 });
  await page.emulateMedia({ colorScheme: given.theme, reducedMotion: 'reduce' });
  const found = [];
  for (const address of [...everyAddress(given.examples), ...FILTERED]) {
    await openAddress(page, given, address);
    found.push(...(await inspect(page, address)));
    found.push(...(await inspectOpened(page, address)));
    found.push(...(await inspectDetails(page, address)));
  }
  found.push(...(await inspectIssue(page, given)));
  found.push(...(await inspectGraphiql(page, given)));
  if (found.length) throw new Error(`${found.length} violations:\n${found.join('\n')}`);
}
