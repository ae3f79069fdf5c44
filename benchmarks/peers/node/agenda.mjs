// Runs Agenda on MongoDB, 100 jobs at once; writes are as durable as the server's defaults.
import { MongoBackend } from "@agendajs/mongo-backend";
import { Agenda } from "agenda";
import { MongoClient } from "mongodb";
import { begun } from "./marks.mjs";
import { run } from "./program.mjs";

const CONCURRENCY = 100;
const AT_ONCE = 500;

async function connect() {
  const client = await MongoClient.connect(process.env.BENCH_URL, { w: "majority" });
  const agenda = new Agenda({
    backend: new MongoBackend({ mongo: client.db("agenda") }),
    processEvery: "100 milliseconds",
    maxConcurrency: CONCURRENCY,
    defaultConcurrency: CONCURRENCY,
  });
  agenda.define("act", async (job) => {
    begun();
    return { n: job.attrs.data.n };
  });
  await agenda.ready;
  return { agenda, client };
}

async function open() {
  const { agenda, client } = await connect();
  return {
    async enqueue(jobs) {
      for (let start = 0; start < jobs; start += AT_ONCE) {
        const size = Math.min(AT_ONCE, jobs - start);
        await Promise.all(Array.from({ length: size }, (_, n) => agenda.now("act", { n: start + n })));
      }
    },
    close: () => client.close(),
  };
}

async function work() {
  const { agenda, client } = await connect();
  await agenda.start();
  process.once("SIGTERM", async () => {
    await agenda.stop();
    await client.close();
  });
}

await run(open, work);
