/* The example of ostinato-client follows jobs while the API is killed and started again. */
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { eventually } from './page.mjs';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript' };

/** Serve the built example from the API's origin, with the API's address and the token in it. */
async function serveExample(page, { baseUrl, token, folder }) {
  const { origin, host } = new URL(baseUrl);
  // Chromium does not regard a page that was not loaded from the API as local.
  await page.context().grantPermissions(['local-network-access'], { origin });
  await page.route(`${origin}/example/**`, async (route) => {
    const path = new URL(route.request().url()).pathname.slice('/example/'.length) || 'index.html';
    const text = await readFile(join(folder, path), 'utf8');
    const body = text.replaceAll('127.0.0.1:8000', host).replaceAll('TOKEN_OF_ALICE', token);
    await route.fulfill({ body, contentType: TYPES[extname(path)] });
  });
  return `${origin}/example/`;
}

/** Record the messages on all WebSockets of a page. */
function recordMessages(page) {
  const messages = { sent: [], received: [] };
  page.on('websocket', (socket) => {
    socket.on('framesent', ({ payload }) => messages.sent.push(JSON.parse(payload)));
    socket.on('framereceived', ({ payload }) => messages.received.push(JSON.parse(payload)));
  });
  return messages;
}

const sorted = (jobs) => JSON.stringify(jobs.map(String).sort());

async function rows(page) {
  const items = await page.locator('li').all();
  return Promise.all(items.map(async (item) => [await item.getAttribute('title'), await item.innerText()]));
}

async function showsTheJobs(page, given) {
  const jobs = await given.request('list the jobs');
  await eventually('the list equals the jobs', async () => sorted(await rows(page)) === sorted(jobs));
}

const changesOf = (messages) => messages.flatMap(({ payload }) => payload?.data?.jobsChanged ?? []);

/** Require the messages after the restart: each change once, and a snapshot only after a RESET. */
function checkMessages(changes, { changed, isReset }) {
  const kinds = changes.map(({ kind }) => kind);
  if (kinds.includes('RESET') || isReset) {
    if (!kinds.includes('SNAPSHOT') || !isReset) throw new Error(`unexpected messages: ${kinds}`);
    return;
  }
  if (kinds.includes('SNAPSHOT')) throw new Error(`not resumed: ${kinds}`);
  const received = changes.flatMap(({ kind, jobId }) => (kind === 'CHANGED' ? jobId : []));
  if (sorted(received) !== sorted(changed)) throw new Error(`missed or repeated: ${received}, not ${changed}`);
}

export default async function scenario(page, given) {
  const messages = recordMessages(page);
  await page.goto(await serveExample(page, given));
  await showsTheJobs(page, given);

  await given.request('kill the API');
  const changed = await given.request('change jobs');
  const known = messages.received.length;
  await given.request('start the API');
  await showsTheJobs(page, given);
  checkMessages(changesOf(messages.received.slice(known)), { changed, isReset: given.isReset });
  const { payload } = messages.sent.findLast(({ type }) => type === 'subscribe');
  if (!given.isReset && !payload.variables.after) throw new Error('The subscription sent no cursor.');
}
