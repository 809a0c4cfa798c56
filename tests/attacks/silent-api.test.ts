/** A REST API that takes requests and answers none: who is connected goes on, who comes is sent away at once. */
import { expect, test, vi } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { errorIn } from "../support/errors.ts";
import { eventually } from "../support/eventually.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { ChatDocument, MessageAddedDocument, MeDocument, SendMessageDocument } from "../support/generated/graphql.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop } = DEMO_CHATS;

/** How a newcomer's connection ends. */
async function refused(gateway: TestGateway): Promise<number> {
  await using newcomer = connect(gateway.wsUrl, carol.token);
  return (await newcomer.closed).code;
}

test("newcomers get 1013 at once after repeated timeouts, and running connections go on", async () => {
  await using gateway = await startGateway({ HTTP_API_TIMEOUT: "10000", HTTP_API_RETRIES: "1" });
  await using reader = connect(gateway.wsUrl, bob.token);
  await using received = reader.subscribe(MessageAddedDocument, { chatId: shop });
  await reader.run(MeDocument);
  await using sender = connect(gateway.wsUrl, alice.token);
  await sender.acknowledged;
  const silence = gateway.api.faults.hold({ method: "GET" });
  const asked = Array.from({ length: 6 }, async (_, index) => errorIn(sender.run(ChatDocument, { id: `c${index}` })));
  const codes = (await Promise.all(asked)).map((error) => error.extensions?.["code"]);
  expect(new Set(codes)).toEqual(new Set(["UPSTREAM_TIMEOUT"]));
  const profiles = (): number => gateway.api.faults.requests.count({ path: "/auth/profile" });
  const before = profiles();
  // However slow this machine is, the time to ask the API again has not come.
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 60_000 });
  try {
    // One after the other, since those of one moment would share a request.
    for (let newcomers = 0; newcomers < 20; newcomers++) expect(await refused(gateway)).toBe(1013);
  } finally {
    vi.useRealTimers();
  }
  expect(profiles()).toBe(before);
  silence.release();
  // Sooner or later one of them asks the API, which answers.
  await eventually(async () => {
    await using newcomer = connect(gateway.wsUrl, carol.token);
    await newcomer.acknowledged;
  });
  await sender.run(SendMessageDocument, { chatId: shop, content: "as if nothing had been" });
  expect((await received.next()).messageAdded.content).toBe("as if nothing had been");
});
