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

export async function openBrowser() {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, headless: true, args: FLAGS });
  const window = await openWindow(browser, { viewport: { width: 1280, height: 900 } });
  return { browser, window };
}

/** Open a window and leave a page open in it: a further window costs more than most pages. */
async function openWindow(browser, options) {
  const window = await browser.newContext(options);
  await window.newPage();
  return window;
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

/** List what goes wrong in a page: what it asks of other hosts, and its errors. */
async function watch(page, isElsewhere) {
  const faults = [];
  const note = (url) => isElsewhere(url) && faults.push(`asked of another host: ${url}`);
  await page.route(
    (url) => isElsewhere(url.href),
    (route) => route.abort('blockedbyclient'),
  );
  page.on('request', (request) => note(request.url()));
  page.on('websocket', (socket) => note(socket.url()));
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => isFault(message) && faults.push(message.text()));
  return faults;
}

/**
 * Run `scenario(page)` in a page of its own, or in a window if it has options for one. Any fault of
 * the page fails it. Scenarios share no storage as each has a server, and so an origin, of its own.
 */
export async function visit({ browser, window }, { baseUrl, screenshot }, options, scenario) {
  const page = await (options ? await openWindow(browser, options) : window).newPage();
  const faults = await watch(page, elsewhere(baseUrl));
  page.setDefaultTimeout(15_000);
  try {
    await scenario(page);
  } catch (error) {
    if (screenshot) await page.screenshot({ path: screenshot, fullPage: true });
    throw error;
  } finally {
    await page.close();
  }
  if (faults.length) throw new Error(`Faults of the page: ${faults.join('\n')}`);
}
