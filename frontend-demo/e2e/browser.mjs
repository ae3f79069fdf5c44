/* A headless Chromium whose pages can reach the server under test and nothing else, and record who tried. */
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

export function openBrowser() {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}

/** Say of a URL whether it is of another host than the server's; what has no host stays here. */
function elsewhere(baseUrl) {
  const server = new URL(baseUrl).host;
  return (url) => {
    const { protocol, host } = new URL(url);
    return ['http:', 'https:', 'ws:', 'wss:'].includes(protocol) && host !== server;
  };
}

/** Say of a message whether it tells of a fault; that the API is away is none. */
function isFault(message) {
  if (message.text().includes('net::ERR_CONNECTION_REFUSED')) return false;
  return message.type() === 'error' || message.text().includes('Content Security Policy');
}

/** List what goes wrong in a context: what it asks of other hosts, its errors. */
async function watch(context, isElsewhere) {
  const faults = [];
  const note = (url) => isElsewhere(url) && faults.push(`asked of another host: ${url}`);
  await context.route(
    (url) => isElsewhere(url.href),
    (route) => route.abort('blockedbyclient'),
  );
  context.on('request', (request) => note(request.url()));
  context.on('page', (page) => page.on('websocket', (socket) => note(socket.url())));
  context.on('weberror', (error) => faults.push(String(error.error())));
  context.on('console', (message) => isFault(message) && faults.push(message.text()));
  return faults;
}

/** Run `scenario(page)` in a context of its own; any fault of its pages fails it. */
export async function visit(browser, { baseUrl, screenshot }, options, scenario) {
  const viewport = { width: 1280, height: 900 };
  const context = await browser.newContext({ baseURL: baseUrl, viewport, ...options });
  const faults = await watch(context, elsewhere(baseUrl));
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  try {
    await scenario(page);
  } catch (error) {
    if (screenshot) await page.screenshot({ path: screenshot, fullPage: true });
    throw error;
  } finally {
    await context.close();
  }
  if (faults.length) throw new Error(`Faults of the page: ${faults.join('\n')}`);
}
