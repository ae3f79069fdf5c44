// Runs BullMQ, 100 jobs at once, on the server of BENCH_URL.
import { Queue, Worker } from "bullmq";
import { begun, hold, late } from "./marks.mjs";
import { run } from "./program.mjs";

const CONCURRENCY = 100;
const AT_ONCE = 1_000;
const { hostname: host, port, password } = new URL(process.env.BENCH_URL);
const connection = { host, port: Number(port), password, maxRetriesPerRequest: null };

async function open() {
  const queue = new Queue("bench", { connection });
  await queue.waitUntilReady();
  return {
    async enqueue(jobs) {
      for (let start = 0; start < jobs; start += AT_ONCE) {
        const size = Math.min(AT_ONCE, jobs - start);
        const data = (n) => ({ name: "act", data: { n: start + n } });
        await queue.addBulk(Array.from({ length: size }, (_, n) => data(n)));
      }
    },
    async plan(dueMs) {
      await queue.add("timed", { dueMs }, { delay: Math.max(0, Math.ceil(dueMs - Date.now())) });
    },
    async hold(jobs) {
      await queue.addBulk(Array.from({ length: jobs }, (_, n) => ({ name: "held", data: { n } })));
    },
    close: () => queue.close(),
  };
}

async function process_(job) {
  if (job.name === "timed") return late(job.data.dueMs);
  if (job.name === "held") return hold(job.data.n);
  begun();
  return { n: job.data.n };
}

async function work() {
  const worker = new Worker("bench", process_, { connection, concurrency: CONCURRENCY });
  process.once("SIGTERM", () => worker.close());
}

await run(open, work);
