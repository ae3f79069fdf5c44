/* GraphiQL runs a query and a subscription and underlines an error, loading only from this server; a subscription
   ends with its tab, and the response fits in a narrow window. */
import { enter, eventually } from './page.mjs';

const QUERY = '{ viewer { id } }';
const WRONG = '{ viewer { idd } }';
const SUBSCRIPTION = 'subscription { jobsChanged(snapshot: true) { kind cursor } }';

/** Open GraphiQL with a document in the URL. */
async function openWith(page, given, query) {
  await page.evaluate(() => localStorage.clear());
  await enter(page, given, `/graphiql?query=${encodeURIComponent(query)}`);
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
}

/** Execute until the response is as expected: GraphiQL parses a changed tab with a delay. */
async function runs(page, expected) {
  const response = page.locator('.graphiql-response');
  const execute = page.getByRole('button', { name: /^Execute/ });
  await eventually(`a response with ${expected}`, async () => {
    if (await execute.isVisible()) await execute.click();
    return (await response.innerText()).replaceAll('\u00a0', ' ').includes(expected);
  });
}

/** A new tab is empty and ready, whatever ran in the previous one. */
async function startsEmpty(page) {
  await page.getByRole('button', { name: 'New tab' }).click();
  await page.getByRole('button', { name: /^Execute/ }).waitFor();
  const response = await page.locator('.graphiql-response').innerText();
  if (response.includes('READY')) throw new Error(`A new tab shows the response of another: ${response}`);
}

/** In a narrow window the response fits below the operation. */
async function fits(page, width) {
  const { height } = page.viewportSize();
  await page.setViewportSize({ width, height });
  const box = await page.locator('.graphiql-response').boundingBox();
  if (box.width < width / 2 || box.x + box.width > width || box.y + box.height > height) {
    throw new Error(`The response does not fit: ${JSON.stringify(box)}`);
  }
}

export default async function scenario(page, given) {
  await enter(page, given, '/graphiql');
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  await page.getByRole('tab', { name: 'Jobs' }).waitFor();
  await runs(page, '"nodes": []');
  await page.getByRole('tab', { name: 'Watch' }).click();
  await page.getByText('subscription', { exact: true }).waitFor();
  await runs(page, '"kind": "READY"');
  await startsEmpty(page);
  await openWith(page, given, QUERY);
  await runs(page, `"id": "${given.viewer}"`);
  await openWith(page, given, WRONG);
  await page.locator('.graphiql-query-editor .squiggly-error').first().waitFor();
  await openWith(page, given, SUBSCRIPTION);
  await runs(page, '"kind": "READY"');
  await fits(page, 375);
}
