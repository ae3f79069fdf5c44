// Serves one mutation with graphql-yoga: it inserts one document, journaled.
import { createServer } from "node:http";
import { createSchema, createYoga } from "graphql-yoga";
import { MongoClient, ObjectId } from "mongodb";

const client = await MongoClient.connect(process.env.BENCH_URL, { w: "majority", journal: true });
const jobs = client.db("yoga").collection("jobs");

const typeDefs = `
  type Job { id: ID!, state: String!, scheduledTime: String! }
  type JobPayload { jobId: ID!, job: Job! }
  input ScheduleJobInput { functionName: String!, n: Int!, runAfterMs: Float! }
  type Query { ok: Boolean! }
  type Mutation { scheduleJob(input: ScheduleJobInput!): JobPayload }
`;

async function scheduleJob(_, { input }) {
  const now = new Date();
  const document = {
    _id: new ObjectId().toHexString(),
    functionName: input.functionName,
    args: { n: input.n },
    owner: "bench",
    state: "pending",
    scheduledTime: new Date(now.getTime() + input.runAfterMs),
    queue: "default",
    attempt: 0,
    version: 1,
    createdAt: now,
    timeline: [{ seq: 1, at: now, from: null, state: "pending", attempt: 0, owner: "bench" }],
  };
  await jobs.insertOne(document);
  const { _id: id, state, scheduledTime } = document;
  return { jobId: id, job: { id, state, scheduledTime: scheduledTime.toISOString() } };
}

const resolvers = { Query: { ok: () => true }, Mutation: { scheduleJob } };
const yoga = createYoga({ schema: createSchema({ typeDefs, resolvers }), logging: false });
createServer(yoga).listen(Number(process.env.BENCH_PORT), "127.0.0.1");
