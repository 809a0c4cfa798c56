/** Requests over HTTP, each of which comes to another instance. */
import { expect, test } from "vitest";
import { startInstances } from "../support/backplane.ts";
import { connect } from "../support/client.ts";
import { MeDocument, SetTypingDocument, TypingChangedDocument } from "../support/generated/graphql.ts";
import { overHttp } from "../support/runner.ts";
import { createChat } from "./members.ts";

test("typing that was started through one instance is stopped through another", async () => {
  await using instances = await startInstances({ TYPING_TIMEOUT: "600000" });
  const { api, one, other } = instances;
  const { chatId, tokens } = createChat(api, "Ann", "Ben");
  const [ann = "", ben = ""] = tokens;
  await using watcher = connect(one.wsUrl, ben);
  await using received = watcher.subscribe(TypingChangedDocument, { chatId });
  await watcher.run(MeDocument);
  await overHttp(one.url, ann).run(SetTypingDocument, { chatId, isTyping: true });
  expect((await received.next()).typingChanged).toMatchObject({ user: { name: "Ann" }, isTyping: true });
  await overHttp(other.url, ann).run(SetTypingDocument, { chatId, isTyping: false });
  expect((await received.next()).typingChanged).toMatchObject({ user: { name: "Ann" }, isTyping: false });
});
