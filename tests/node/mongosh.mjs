// Runs a script of mongosh with the Node driver: `db`, sessions, and calls without `await`.
//
// node mongosh.mjs URL SCRIPT. Each call must begin a line, and its object must be `session`.
import { readFileSync } from "node:fs";
import { MongoClient } from "mongodb";

const [url, script] = process.argv.slice(2);
const client = new MongoClient(url);

/** Bind the methods of a collection to a session, as mongosh does. */
function collectionIn(collection, session) {
  return { insertOne: (document) => collection.insertOne(document, { session }) };
}

function startSession() {
  const session = client.startSession();
  return {
    startTransaction: () => session.startTransaction(),
    commitTransaction: () => session.commitTransaction(),
    getDatabase: (database) =>
      new Proxy({}, { get: (_, name) => collectionIn(client.db(database).collection(name), session) }),
    endSession: () => session.endSession(),
  };
}

const db = { getMongo: () => ({ startSession }) };
const code = readFileSync(script, "utf8").replace(/^session\./gm, "await session.");
const run = Object.getPrototypeOf(async () => {}).constructor;
await run("db", `${code}\nawait session.endSession()`)(db);
await client.close();
