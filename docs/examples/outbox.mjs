/** Schedules jobs from Node: inserts orders and outbox entries in transactions.
 *
 * node outbox.mjs 'mongodb://127.0.0.1:27017/?replicaSet=rs0' ada grace
 */
import { MongoClient } from "mongodb";

/** Store an order and schedule its letter in one transaction. */
async function placeOrder(client, reader) {
  const orders = client.db("shop").collection("orders");
  const outbox = client.db("ostinato").collection("outbox");
  await client.withSession((session) =>
    session.withTransaction(async () => {
      const { insertedId } = await orders.insertOne({ reader }, { session });
      const entry = { functionName: "mailing.send", owner: "alice", args: { to: reader }, key: `order:${insertedId}` };
      await outbox.insertOne(entry, { session });
    }),
  );
}

const [url, ...readers] = process.argv.slice(2);
const client = new MongoClient(url);
for (const reader of readers) {
  await placeOrder(client, reader);
}
await client.close();
