// What is published on Node, and to whom: the subscription that the peers serve, each in its own way.
const CURSOR = "c".repeat(160);

export const TYPES = `
  type Event { seq: Int!, state: String!, at: String! }
  type JobChange { cursor: String!, kind: String!, jobId: String!, event: Event }
  type Query { ok: Boolean! }
  type Subscription { jobsChanged(topic: Int!): JobChange }
`;
// None of the measured pings while it is measured.
export const KEEP_ALIVE_MS = 3_600_000;

const event = (seq) => ({
  cursor: CURSOR,
  kind: "CHANGED",
  jobId: "Sm9iOjAxYTIwYTZiNjhkZmM4Zjg0YTMyYzA3MQ",
  event: { seq, state: "PENDING", at: "2030-01-01T00:00:00.000Z" },
});

const listeners = new Map();

export async function* jobsChanged({ topic }) {
  const waiting = [{ jobsChanged: event(0) }];
  let wake = () => {};
  const listener = (told) => { waiting.push({ jobsChanged: told }); wake(); };
  if (!listeners.has(topic)) listeners.set(topic, new Set());
  listeners.get(topic).add(listener);
  try {
    for (;;) {
      while (waiting.length) yield waiting.shift();
      await new Promise((resolve) => { wake = resolve; });
    }
  } finally {
    listeners.get(topic).delete(listener);
  }
}

// The same clock as Python's time.monotonic().
const now = () => Number(process.hrtime.bigint()) / 1e9;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function publish({ events, interval_s, topics }) {
  const times = [];
  for (let number = 0; number < events; number++) {
    times.push(now());
    const told = event(number);
    for (const listener of listeners.get(number % topics) ?? []) listener(told);
    if (interval_s) await pause(Math.max(0, (times[0] + (number + 1) * interval_s - now()) * 1000));
    else await null;
  }
  return times;
}

/** Answers POST /publish. */
export function published(request, response) {
  let body = "";
  request.on("data", (part) => { body += part; });
  request.on("end", async () => response.end(JSON.stringify(await publish(JSON.parse(body)))));
}
