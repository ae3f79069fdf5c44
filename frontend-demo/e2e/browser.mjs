/* A headless Chromium that can reach the server under test and nothing else, and records who tried. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

export const baseUrl = process.env.BASE_URL ?? 'http://127.0.0.1:8000';
const server = new URL(baseUrl);

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${server.hostname}`,
];

function isElsewhere(url) {
  const { protocol, host } = new URL(url);
  return ['http:', 'https:', 'ws:', 'wss:'].includes(protocol) && host !== server.host;
}

/** Run `scenario(page)`; whatever a page asked of another host fails it, as does any page error. */
export async function inBrowser(scenario, options = {}) {
  const profile = await mkdtemp(join(tmpdir(), 'ostinato-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: FLAGS,
    viewport: { width: 1280, height: 900 },
    ...options,
  });
  const foreign = [];
  const errors = [];
  await context.route(
    (url) => isElsewhere(url.href),
    (route) => route.abort('blockedbyclient'),
  );
  context.on('request', (request) => isElsewhere(request.url()) && foreign.push(request.url()));
  context.on('weberror', (error) => {
    const text = String(error.error());
    // monaco-graphql restarts its worker when the schema arrives, and trips over a look-up that
    // was under way: nothing is lost, the next keystroke asks the new one.
    if (!text.includes("reading 'withSyncedResources'")) errors.push(text);
  });
  context.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) errors.push(message.text());
  });
  const page = await context.newPage();
  page.on('websocket', (socket) => isElsewhere(socket.url()) && foreign.push(socket.url()));
  page.setDefaultTimeout(15_000);
  try {
    await scenario(page, context);
  } catch (error) {
    const shot = process.env.FAILURE_SCREENSHOT;
    if (shot) await page.screenshot({ path: shot, fullPage: true });
    throw error;
  } finally {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  }
  if (foreign.length) throw new Error(`Asked of other hosts: ${foreign.join(', ')}`);
  if (errors.length) throw new Error(`Errors in the page: ${errors.join('\n')}`);
}
