/* Runs scenarios one after another in one Chromium: reads a line of JSON for each, and writes lines of JSON.

     {"scenario": "crons", "baseUrl": "http://127.0.0.1:8000", "token": "…", "viewer": "alice"}

   The result is {"passed": true} or {"failed": "why"}. Before it, {"please": "what"} requests something that a page
   cannot do; {"value": …} confirms it, with what it returned. It ends with its input.                         */
import { createInterface } from 'node:readline';
import { openBrowser, visit } from './browser.mjs';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (message) => console.log(JSON.stringify(message));

async function please(request) {
  say({ please: request });
  return JSON.parse((await lines.next()).value).value;
}

async function play(opened, { scenario, ...given }) {
  const { default: act, options } = await import(`./${scenario}.mjs`);
  await visit(opened, given, options, (page) => act(page, { ...given, please }));
}

const opened = await openBrowser();
for (let line = await lines.next(); !line.done; line = await lines.next()) {
  try {
    await play(opened, JSON.parse(line.value));
    say({ passed: true });
  } catch (error) {
    say({ failed: String(error.stack ?? error) });
  }
}
await opened.browser.close();
