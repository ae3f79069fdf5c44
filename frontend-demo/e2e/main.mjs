/* Runs scenarios one after another in one Chromium: reads a line of JSON for each, and writes lines of JSON.

     {"scenario": "crons", "baseUrl": "http://127.0.0.1:8000", "token": "…", "viewer": "alice"}

   The result is {"passed": true} or {"failed": "error"}. Before it, {"request": "name"} requests an action that a page
   cannot do; the reply {"value": …} has its return value. It ends with its input.                         */
import { createInterface } from 'node:readline';
import { openBrowser, visit } from './browser.mjs';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (message) => console.log(JSON.stringify(message));

async function request(action) {
  say({ request: action });
  return JSON.parse((await lines.next()).value).value;
}

async function play(opened, { scenario, ...given }) {
  const { default: act, options } = await import(`./${scenario}.mjs`);
  await visit(opened, given, options, (page) => act(page, { ...given, request }));
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
