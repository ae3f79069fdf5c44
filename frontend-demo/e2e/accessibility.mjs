/* axe finds no serious violation on any page, nor in what its buttons open, and nothing is cut off.
   Requires the data of tests/browser/shop_data.py, and an admin. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connection, enter } from './page.mjs';
import { everyAddress, openAddress, rejectLayoutFaults, settle } from './everyPage.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const REJECTED = ['serious', 'critical'];
/** What opens something over the page: forms, menus, the palette and the navigation of narrow screens. */
const OPENERS = 'button[aria-haspopup]:visible:enabled';

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

async function inspectOpened(page, address) {
  const found = [];
  const names = await page.locator(OPENERS).evaluateAll((all) => all.map((each) => each.innerText || each.ariaLabel));
  for (const [position, name] of names.entries()) {
    if (names.indexOf(name) !== position) continue; // the same button of another row
    await page.locator(OPENERS).nth(position).click();
    await page.locator('[role="dialog"], [role="menu"], [role="listbox"]').first().waitFor();
    await settle(page);
    found.push(...(await inspect(page, `${address}, ${name}`)));
    await page.keyboard.press('Escape');
    await page.locator('[role="dialog"], [role="menu"], [role="listbox"]').first().waitFor({ state: 'detached' });
  }
  return found;
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
  for (const address of everyAddress(given.examples)) {
    await openAddress(page, given, address);
    found.push(...(await inspect(page, address)));
    found.push(...(await inspectOpened(page, address)));
  }
  found.push(...(await inspectGraphiql(page, given)));
  if (found.length) throw new Error(`${found.length} violations:\n${found.join('\n')}`);
}
