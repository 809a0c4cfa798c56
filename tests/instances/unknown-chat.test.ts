/** A message of a chat that nobody at the instance that is told of it knows. */
import { expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { EVENTS_SECRET, tell } from "../support/events.ts";
import { startGateway } from "../support/gateway.ts";
import { ChatsDocument, MessageAddedDocument } from "../support/generated/graphql.ts";
import { startRedis } from "../support/redis.ts";
import { chatRecord, messageRecord, startSmallApi } from "../support/small-api.ts";

test("is delivered at another instance once the chat is learnt there", async () => {
  await using redis = await startRedis();
  await using api = await startSmallApi({ chats: [] });
  const environment = { HTTP_API_URL: api.url, REDIS_URL: redis.url, REDIS_PREFIX: "unknown:", EVENTS_SECRET };
  await using told = await startGateway(environment);
  await using other = await startGateway(environment);
  await using client = connect(other.wsUrl, "token");
  await using received = client.subscribe(MessageAddedDocument);
  await client.run(ChatsDocument);
  const post = (id: string): Promise<void> =>
    tell(told, { type: "message.created", data: { message: messageRecord(id, "new") as never } });
  for (const id of ["m1", "m2"]) await post(id);
  api.data.chats = [chatRecord("new")];
  await client.run(ChatsDocument);
  await post("m3");
  const ids = [await received.next(), await received.next(), await received.next()].map((each) => each.messageAdded.id);
  expect(ids).toEqual(["m1", "m2", "m3"]);
});
