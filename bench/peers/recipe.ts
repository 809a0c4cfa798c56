/**
 * The common recipe: GraphQL Yoga and graphql-ws put together as their guides do, a PubSub with a topic for each chat, and
 * `withFilter` for who may hear. `PUBSUB=redis` takes graphql-redis-subscriptions, otherwise it is graphql-subscriptions' own.
 */
import { EventEmitter } from "node:events";
import { createServer } from "node:http";
import { env } from "node:process";
import { RedisPubSub } from "graphql-redis-subscriptions";
import type { DocumentNode, execute, GraphQLError, GraphQLSchema, subscribe } from "graphql";
import { PubSub, withFilter } from "graphql-subscriptions";
import { useServer } from "graphql-ws/use/ws";
import { createSchema, createYoga } from "graphql-yoga";
import { WebSocketServer } from "ws";
import { announce } from "./support/announce.ts";
import { Backend, type Message, type Viewer } from "./support/backend.ts";

interface Context {
  readonly viewer: Viewer;
}
interface ChatEvent {
  readonly chatId: string;
}
type Payload = Readonly<Record<string, ChatEvent>>;
type Arguments = { readonly chatId?: string | null };
/** What Yoga's getEnveloped gives, whose types are any. */
interface Enveloped {
  readonly schema: GraphQLSchema;
  readonly parse: (source: string) => DocumentNode;
  readonly validate: (schema: GraphQLSchema, document: DocumentNode) => readonly GraphQLError[];
  readonly contextFactory: () => Promise<Context>;
  readonly execute: typeof execute;
  readonly subscribe: typeof subscribe;
}
type Root = Pick<Enveloped, "execute" | "subscribe">;

const typeDefs = /* GraphQL */ `
  type User {
    id: ID!
    name: String!
  }
  type Message {
    id: ID!
    chatId: ID!
    content: String!
    createdAt: String!
    sender: User!
  }
  type TypingChange {
    chatId: ID!
    user: User!
    isTyping: Boolean!
  }
  type Presence {
    user: User!
    online: Boolean!
    lastSeenAt: String
  }
  type ReadReceipt {
    chatId: ID!
    messageId: ID
    reader: User!
    readAt: String!
  }
  type Query {
    me: User!
  }
  type Mutation {
    sendMessage(chatId: ID!, content: String!): Message!
  }
  type Subscription {
    messageAdded(chatId: ID): Message!
    typingChanged(chatId: ID): TypingChange!
    presenceChanged(chatId: ID): Presence!
    readReceipt(chatId: ID): ReadReceipt!
  }
`;

const backend = new Backend();
/** As much of both as is used here. */
interface ChatPubSub {
  publish(topic: string, payload: object): Promise<void>;
  asyncIterableIterator<T>(topics: string[]): AsyncIterableIterator<T>;
}
const pubsub: ChatPubSub =
  env["PUBSUB"] === "redis"
    ? new RedisPubSub({ connection: { host: "127.0.0.1", port: Number(env["REDIS_PORT"]) } })
    : new PubSub({ eventEmitter: new EventEmitter().setMaxListeners(0) });

/** One of the four subscriptions: the topics of the viewer's chats, and a check of each event. */
function subscription(field: string): { subscribe: ReturnType<typeof withFilter<Payload, Arguments, Context>> } {
  return {
    subscribe: withFilter<Payload, Arguments, Context>(
      (_root, args, context) => {
        const chatIds = args?.chatId ? [args.chatId] : [...(context?.viewer.chatIds ?? [])];
        return pubsub.asyncIterableIterator<Payload>(chatIds.map((chatId) => `${field}.${chatId}`));
      },
      (payload, _args, context) => context?.viewer.chatIds.has(payload?.[field]?.chatId ?? "") ?? false,
    ),
  };
}

async function sendMessage(
  _root: unknown,
  { chatId, content }: { chatId: string; content: string },
  { viewer }: Context,
): Promise<Message> {
  const message = await backend.persist(viewer, chatId, content);
  await pubsub.publish(`messageAdded.${chatId}`, { messageAdded: message });
  return message;
}

const schema = createSchema<Context>({
  typeDefs,
  resolvers: {
    Query: { me: (_root: unknown, _args: unknown, { viewer }: Context) => viewer },
    Mutation: { sendMessage },
    Subscription: {
      messageAdded: subscription("messageAdded"),
      typingChanged: subscription("typingChanged"),
      presenceChanged: subscription("presenceChanged"),
      readReceipt: subscription("readReceipt"),
    },
  },
});

const yoga = createYoga({
  schema,
  graphiql: false,
  context: ({ extra }: { extra?: Context }) => ({ viewer: extra?.viewer }),
});
// oxlint-disable-next-line typescript/no-misused-promises -- as Yoga's guide has it: a listener whose promise never rejects
const server = createServer(yoga);

useServer<{ token?: string }, { viewer?: Viewer }>(
  {
    async onConnect({ connectionParams, extra }) {
      extra.viewer = await backend.authenticate(connectionParams?.token ?? "");
    },
    execute: (args) => (args.rootValue as Root).execute(args),
    subscribe: (args) => (args.rootValue as Root).subscribe(args),
    async onSubscribe(context, _id, params) {
      const { extra } = context;
      const { request: req, socket } = extra;
      const root = yoga.getEnveloped({ ...context, req, socket, params }) as unknown as Enveloped;
      const args = {
        schema: root.schema,
        operationName: params.operationName,
        document: root.parse(params.query),
        variableValues: params.variables,
        contextValue: await root.contextFactory(),
        rootValue: { execute: root.execute, subscribe: root.subscribe },
      };
      const errors = root.validate(args.schema, args.document);
      return errors.length > 0 ? errors : args;
    },
  },
  new WebSocketServer({ server, path: yoga.graphqlEndpoint }),
);

server.listen(0, "127.0.0.1", 4096, () => announce(server.address()));
