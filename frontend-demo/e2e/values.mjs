/* Arguments and results are shown completely, and documents written by others break nothing. */
import { eventually, jobs, openLivePage, scheduleJob } from './page.mjs';

/* With sorted keys: the client sorts them before sending. */
const VALUES = [
  { $id: 1, $ref: 'x' },
  { $db: null, $id: { $oid: 'x' }, $ref: 'y', more: [{ $$ref: 1, $id: 2 }] },
  { '': { $set: 2147483648, 'a.b': '$owner' }, constructor: [null, true], toString: 0.5 },
  JSON.parse('{"__proto__": {"__proto__": 1}}'),
  '\u0001\u001f \u2028 \u202e \ufeff <b>&amp;</b> 👩\u200d👧',
  [9007199254740991, -9007199254740991, 1e300, 5e-324, -2147483649],
  JSON.parse('['.repeat(25) + ']'.repeat(25)),
];

function shown(value) {
  return JSON.stringify(value, null, 1)
    .replace(/([[{])\n\s*/g, '$1')
    .replace(/\n\s*([\]}])/g, '$1')
    .replace(/,\n\s*/g, ', ');
}

function argsOf(number) {
  return { value: VALUES[number], text: `row ${number}.`, count: 3_000_000_000 };
}

async function isShown(page, number) {
  const wanted = `${shown(argsOf(number))} → ${shown(VALUES[number])}`;
  const line = jobs(page, `"row ${number}."`, 'SUCCESS').locator('summary');
  await eventually(wanted, async () => (await line.textContent()) === wanted);
}

export default async function scenario(page, given) {
  await openLivePage(page, given);
  for (const number of VALUES.keys()) {
    await scheduleJob(page, { functionName: 'echo_functions.echo', args: argsOf(number) });
    await isShown(page, number);
  }
  await given.request('store what others wrote');
  await jobs(page, '$numberDecimal').waitFor();
  await jobs(page, '3000000000 of 6000000000').waitFor();

  await page.reload();
  await jobs(page, '$numberDecimal').waitFor();
  for (const number of VALUES.keys()) await isShown(page, number);
}
