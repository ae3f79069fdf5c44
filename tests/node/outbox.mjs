// Stores orders and schedules their jobs through the outbox, in transactions; aborts as many.
//
// node outbox.mjs '{"url": …, "database": …, "name": …, "count": …}'; exits after `count` commits.
import { MongoClient } from "mongodb";

const { url, database, name, count } = JSON.parse(process.argv[2]);
const client = new MongoClient(url, { writeConcern: { w: "majority" }, readConcernLevel: "majority" });
const orders = client.db(database).collection("orders");
const outbox = client.db(database).collection("outbox");

class Rollback extends Error {}

/** Write an order and its entry in one transaction, which is rolled back if `commits` is false. */
async function order(mark, commits) {
  const body = (session) =>
    session.withTransaction(async () => {
      await orders.insertOne({ _id: mark }, { session });
      await outbox.insertOne({ functionName: "ledger.enter", owner: "ada", args: { mark } }, { session });
      if (!commits) throw new Rollback();
    });
  try {
    await client.withSession(body);
  } catch (error) {
    if (!(error instanceof Rollback)) throw error;
  }
}

/** Repeat through failovers; an order that exists was committed by an attempt without an answer. */
async function untilDone(act) {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (error.code === 11000) return undefined;
      console.error(`${error}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

for (let number = 0; number < count; number++) {
  const mark = `${name}-${number}`;
  if (await untilDone(() => orders.findOne({ _id: mark }))) continue;
  await untilDone(() => order(`${mark}-aborted`, false));
  await untilDone(() => order(mark, true));
}
await client.close();
