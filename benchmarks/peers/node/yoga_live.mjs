// Serves the same subscription with graphql-yoga behind graphql-ws, as yoga documents for WebSockets.
import { createServer } from "node:http";
import { createSchema, createYoga } from "graphql-yoga";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";
import { jobsChanged, KEEP_ALIVE_MS, published, TYPES } from "./live.mjs";

const subscription = { subscribe: (_, { topic }) => jobsChanged({ topic }) };
const resolvers = { Query: { ok: () => true }, Subscription: { jobsChanged: subscription } };
const schema = createSchema({ typeDefs: TYPES, resolvers });
const yoga = createYoga({ schema, logging: false, graphiql: false });

async function onSubscribe({ extra, ...context }, _id, params) {
  const { request: req, socket } = extra;
  const enveloped = yoga.getEnveloped({ ...context, extra, req, socket, params });
  const { execute, subscribe, parse, validate, contextFactory } = enveloped;
  const args = {
    schema: enveloped.schema,
    operationName: params.operationName,
    document: parse(params.query),
    variableValues: params.variables,
    contextValue: await contextFactory(),
    rootValue: { execute, subscribe },
  };
  const errors = validate(args.schema, args.document);
  return errors.length ? errors : args;
}

const server = createServer((request, response) =>
  request.url === "/publish" ? published(request, response) : yoga(request, response),
);
const sockets = new WebSocketServer({
  server, path: yoga.graphqlEndpoint, perMessageDeflate: false,
});
const execute = (args) => args.rootValue.execute(args);
const subscribe = (args) => args.rootValue.subscribe(args);
useServer({ execute, subscribe, onSubscribe }, sockets, KEEP_ALIVE_MS);
server.listen(Number(process.env.BENCH_PORT), "127.0.0.1");
