/* A headless Chromium whose pages can reach only the server under test; records other requests. */
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

/** Open a window and keep a page open in it: opening another window is slower than a page. */
async function openWindow(browser, options) {
  const window = await browser.newContext(options);
  await window.newPage();
  return window;
}

/** Return a function that checks whether a URL has another host than the server and those in `also`. */
function elsewhere(baseUrl, also) {
  const hosts = [baseUrl, ...also].map((url) => new URL(url).host);
  return (url) => {
    const { protocol, host } = new URL(url);
    return ['http:', 'https:', 'ws:', 'wss:'].includes(protocol) && !hosts.includes(host);
  };
}

/** What Chromium says of requests to an API that was stopped before or while it answered. */
const API_STOPPED = /net::ERR_(CONNECTION_(REFUSED|RESET|CLOSED)|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING)/;

/** Return whether a console message is a fault; an API that was stopped is not. */
function isFault(message) {
  if (API_STOPPED.test(message.text())) return false;
  return message.type() === 'error' || message.text().includes('Content Security Policy');
}

/** Collect the faults of a page: requests to other hosts, and errors. */
async function watch(page, isElsewhere) {
  const faults = [];
  const note = (url) => isElsewhere(url) && faults.push(`request to another host: ${url}`);
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
 * Run `scenario(page)` in a new page, or in a new window if it has options. Any fault of the page
 * fails it. Scenarios share no storage, because each has its own server and thus its own origin.
 */
export async function visit({ browser, window }, { baseUrl, also = [], screenshot }, options, scenario) {
  const page = await (options ? await openWindow(browser, options) : window).newPage();
  const faults = await watch(page, elsewhere(baseUrl, also));
  page.setDefaultTimeout(60_000);
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
