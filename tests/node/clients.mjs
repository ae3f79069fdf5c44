// Runs every client of clients/ against a server and prints one line of JSON for each.
import * as caches from './clients/caches.mjs';
import * as lists from './clients/lists.mjs';
import * as plain from './clients/plain.mjs';
import * as resuming from './clients/resuming.mjs';
import { Api, run } from './clients/api.mjs';

const [url, secret] = process.argv.slice(2);
const checks = { ...plain, ...resuming, ...caches, ...lists };

// Each as a user of its own, so that they can run at the same time.
const runs = Object.entries(checks).map(([name, check]) => run(name, () => check(new Api(url, secret, name))));
await Promise.all(runs);
process.exit();
