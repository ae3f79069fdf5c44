/* GraphiQL runs a query and a subscription, with nothing but this server to load from. */
import { inBrowser } from './browser.mjs';
import { enter, eventually } from './page.mjs';

const QUERY = '{ viewer { id } }';
const SUBSCRIPTION = 'subscription { jobsChanged(snapshot: true) { kind cursor } }';

/** Open GraphiQL with a document in place; the address is its own way to give one. */
async function openWith(page, query) {
  await page.evaluate(() => localStorage.clear());
  await enter(page, `/graphiql?query=${encodeURIComponent(query)}`);
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
}

/** Execute until the response is as expected: GraphiQL knows a changed tab's operation a bit later. */
async function runs(page, expected) {
  const response = page.locator('.graphiql-response');
  const execute = page.getByRole('button', { name: /^Execute/ });
  await eventually(`a response with ${expected}`, async () => {
    if (await execute.isVisible()) await execute.click();
    return (await response.innerText()).replaceAll('\u00a0', ' ').includes(expected);
  });
}

await inBrowser(async (page) => {
  await enter(page, '/graphiql');
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  await page.getByRole('tab', { name: 'Jobs' }).waitFor();
  await runs(page, '"nodes": []');
  await page.getByRole('tab', { name: 'Watch' }).click();
  await page.getByText('subscription', { exact: true }).waitFor();
  await runs(page, '"kind": "READY"');
  await openWith(page, QUERY);
  await runs(page, `"id": "${process.env.VIEWER}"`);
  await openWith(page, SUBSCRIPTION);
  await runs(page, '"kind": "READY"');
});
