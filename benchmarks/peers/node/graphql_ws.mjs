// Serves the same subscription with graphql-ws over ws: each socket executes each event.
import { createServer } from "node:http";
import { buildSchema } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";
import { jobsChanged, KEEP_ALIVE_MS, published, TYPES } from "./live.mjs";

const server = createServer(published);
const sockets = new WebSocketServer({ server, path: "/graphql", perMessageDeflate: false });
const roots = { subscription: { jobsChanged } };
useServer({ schema: buildSchema(TYPES), roots }, sockets, KEEP_ALIVE_MS);
server.listen(Number(process.env.BENCH_PORT), "127.0.0.1");
