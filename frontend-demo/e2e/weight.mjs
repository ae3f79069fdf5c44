/* The first visit transfers few bytes. */
import { connection, enter } from './page.mjs';

const MAX_BYTES = 250_000;

export default async function scenario(page, given) {
  await enter(page, given); // a token is stored, so that the next visit shows the first page at once
  await connection(page, 'live');
  await page.waitForLoadState('networkidle'); // what the first visit still loads is not counted
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.setCacheDisabled', { cacheDisabled: true });
  const bytes = new Map();
  const urls = new Map();
  session.on('Network.requestWillBeSent', ({ requestId, request }) => urls.set(requestId, request.url));
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength: size }) => bytes.set(requestId, size));
  await page.reload();
  await connection(page, 'live');
  await page.getByRole('img', { name: /^Failed attempts/ }).waitFor();
  await page.waitForLoadState('networkidle');
  // Without a URL, a response belongs to the first visit.
  const sizes = [...bytes].filter(([id]) => urls.has(id)).map(([id, size]) => [urls.get(id), size]);
  const total = sizes.reduce((sum, [, size]) => sum + size, 0);
  const listed = sizes.map(([url, size]) => `${size} ${url}`).join('\n');
  console.error(`the first page takes ${total} bytes in ${sizes.length} responses`);
  if (sizes.length < 4) throw new Error(`too few responses were counted: ${listed}`);
  if (total > MAX_BYTES) throw new Error(`the first page takes ${total} bytes, more than ${MAX_BYTES}:\n${listed}`);
}
