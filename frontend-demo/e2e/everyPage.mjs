/* Every page of the application, as src/app/pages.ts lists them: a new page is visited without a change here. */
import { readFileSync } from 'node:fs';
import { connection, enter } from './page.mjs';

const SOURCE = readFileSync(new URL('../src/app/pages.ts', import.meta.url), 'utf8');
const PATHS = [...SOURCE.matchAll(/\bpath: '([^']+)'/g)].map(([, path]) => path);

/** The addresses; `examples` has the ids for those with `:id`, by the part before it. */
export function everyAddress(examples) {
  if (PATHS.length < 12) throw new Error(`pages.ts has only the paths ${PATHS}`);
  return PATHS.map((path) => {
    const [list, parameter] = path.split('/:');
    if (!parameter) return path;
    if (!examples[list]) throw new Error(`no example for the page ${path}`);
    return `${list}/${examples[list]}`;
  });
}

/** Open an address and wait until it shows its content: nothing is loading, and no chart is empty. */
export async function openAddress(page, given, address) {
  await page.goto('about:blank');
  await given.request('write heartbeats');
  await enter(page, given, `/#/${address}`);
  await connection(page, 'live');
  await page.getByRole('heading', { level: 1 }).waitFor();
  await settle(page);
}

/** Wait until nothing is loading, counts are known, and what moves has stopped. */
export async function settle(page) {
  await page.waitForFunction(() => {
    const isUnknown = /^(…|…? of …)$/m.test(document.querySelector('main').innerText);
    return !isUnknown && !document.querySelector('.skeleton');
  });
  await page.waitForLoadState('networkidle');
  await page.evaluate(() =>
    Promise.all(
      document
        .getAnimations()
        .filter((each) => each.effect.getComputedTiming().endTime !== Infinity)
        .map((each) => each.finished.catch(() => {})),
    ),
  );
}

/** Return what is wrong with the layout, a line for each element. */
function findLayoutFaults() {
  const name = (element) => `<${element.localName} class="${element.className}"> ${element.textContent.slice(0, 60)}`;
  const faults = [];
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) faults.push(`the page is ${scrollWidth} px wide`);
  for (const element of document.querySelectorAll('main *, [role$="dialog"] *')) {
    const { overflowX, textOverflow, clipPath } = getComputedStyle(element);
    const isText = [...element.childNodes].some((each) => each.nodeType === Node.TEXT_NODE && each.textContent.trim());
    const isCut = overflowX === 'hidden' && element.scrollWidth > element.clientWidth + 1;
    if (isCut && isText && textOverflow !== 'ellipsis' && clipPath === 'none') faults.push(`cut: ${name(element)}`);
    if (element.matches('li.row') && element.scrollHeight > element.clientHeight + 1) faults.push(`too low: ${name(element)}`);
    if (!element.matches('button, input, select, textarea')) continue;
    const { left, right } = element.getBoundingClientRect();
    const card = element.closest('.card, [role$="dialog"]')?.getBoundingClientRect();
    if (card && right > left && (left < card.left || right > card.right)) faults.push(`outside: ${name(element)}`);
  }
  return faults;
}

/** Fail if the page can be scrolled sideways, or if something is cut off without an ellipsis. */
export async function rejectLayoutFaults(page, what) {
  const faults = await page.evaluate(findLayoutFaults);
  if (faults.length) throw new Error(`the layout of ${what}:\n${faults.join('\n')}`);
}
