// Runs the JavaScript of docs/subscriptions.md, and prints the name of each file that gets a READY.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { WebSocket } from 'ws';

globalThis.WebSocket ??= WebSocket;
const [folder] = process.argv.slice(2);
const waiting = new Set(readdirSync(folder));

/** What each file has in place of the console. */
globalThis.consoleOf = (name) => ({
  log: (message) => {
    if (message?.kind !== 'READY' || !waiting.delete(name)) return;
    console.log(JSON.stringify({ ready: name }));
    if (waiting.size === 0) process.exit();
  },
});
for (const name of waiting) {
  import(pathToFileURL(join(folder, name))).catch((error) => {
    console.log(JSON.stringify({ failed: name, error: error.stack }));
    process.exit();
  });
}
