// The command line of a measured program: `enqueue JOBS`, `plan JOBS SPAN LOAD`, `hold JOBS` or `work`.
// All but `work` print what they measured as one JSON object.
import { setTimeout as sleep } from "node:timers/promises";

const LEAD_MS = 1_000; // from planning to the first due time
const BEAT_MS = 50; // the load comes in portions

/** `open` returns {enqueue(jobs), plan(dueMs), hold(jobs), close()}; `work` runs until it is stopped. */
export async function run(open, work) {
  const [command, ...numbers] = process.argv.slice(2);
  if (command === "work") return work();
  const producer = await open();
  const measures = { enqueue, plan, hold };
  console.log(JSON.stringify(await measures[command](producer, ...numbers.map(Number))));
  await producer.close();
}

async function enqueue(producer, jobs) {
  const [started, used] = [performance.now(), process.cpuUsage()];
  await producer.enqueue(jobs);
  const { user, system } = process.cpuUsage(used);
  return { seconds: (performance.now() - started) / 1000, cpu_s: (user + system) / 1e6 };
}

async function hold(producer, jobs) {
  await producer.hold(jobs);
  return { jobs };
}

async function plan(producer, jobs, spanS, load) {
  const start = Date.now() + LEAD_MS;
  for (let n = 0; n < jobs; n++) await producer.plan(start + Math.random() * spanS * 1000);
  let sent = 0;
  for (let passed = 0; load > 0 && passed < spanS; passed = (Date.now() - start) / 1000) {
    const wanted = Math.floor(load * passed) - sent;
    if (wanted > 0) await producer.enqueue(wanted);
    sent += Math.max(0, wanted);
    await sleep(BEAT_MS);
  }
  return { load: sent / spanS };
}
