/** A slice of `npm run fuzz`. */
import { expect, test } from "vitest";
import { DEMO_CHATS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { Fuzz } from "../support/fuzz/fuzz.ts";
import { openOf } from "../support/fuzz/leftovers.ts";
import { CONTROL_USER, knownOf, targetOf, UNLIMITED } from "../support/fuzz/targets.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { ChatsDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";

const SEED = 20;
const ENVIRONMENT = { ...UNLIMITED, ADMIN_PORT: "0", LOG_LEVEL: "error" };

async function fuzzOf(gateway: TestGateway, isCompressed: boolean, tokens?: string[]): Promise<Fuzz> {
  const target = targetOf(gateway.url, isCompressed, tokens);
  const options = { maxInputs: 120, atOnce: 6, shrinkingMs: 1000, defects: [] };
  return new Fuzz({ ...options, target, known: await knownOf(target) });
}

test.each([
  ["without compression", false],
  ["with compression", true],
])("whatever clients send %s, others receive everything, and nothing of it stays", async (_what, isCompressed) => {
  await using gateway = await startGateway({ ...ENVIRONMENT, COMPRESSION: String(isCompressed) });
  await using control = connect(gateway.wsUrl, CONTROL_USER.token);
  await using received = control.subscribe(MessageAddedDocument, { chatId: DEMO_CHATS.team });
  await control.run(ChatsDocument);
  const fuzz = await fuzzOf(gateway, isCompressed);
  const attack = fuzz.run(SEED, 12);
  const sent = Array.from({ length: 12 }, (_, index) => `message ${index}`);
  for (const content of sent) await control.run(SendMessageDocument, { chatId: DEMO_CHATS.team, content });
  await attack;
  const contents: string[] = [];
  while (contents.at(-1) !== sent.at(-1)) {
    const { content, sender } = (await received.next()).messageAdded;
    if (sender.id === CONTROL_USER.id) contents.push(content);
  }
  expect(contents).toEqual(sent);
  expect(fuzz.inputs).toBeGreaterThan(500);
  expect(gateway.logged).toEqual([]);
  await expect
    .poll(() => openOf(gateway.adminUrl ?? ""))
    .toEqual({ connections: 1, subscriptions: 1, upstream_in_flight: 0, upstream_waiting: 0, bus_queued: 0 });
});

test("an answer that only a defect gives is found, with a small input that brings it about", async () => {
  await using gateway = await startGateway(ENVIRONMENT);
  const name = "INTERNAL_SERVER_ERROR";
  const { token } = gateway.api.data.createUser({ name });
  const fuzz = await fuzzOf(gateway, false, [token, token]);
  const told: string[] = [];
  // Whether an operation is answered before its own connection ends may depend on the others, which the small input is without.
  while (told.length < 5 && !told.at(-1)?.includes('{"')) {
    const harm: unknown = await fuzz.run(SEED + 1000 * told.length, 100).catch((error: unknown) => error);
    told.push(String(harm).split("\nfrom seed ").slice(1).join(""));
    expect(String(harm)).toContain(name);
  }
  expect(told.at(-1)).toMatch(/^\d+: \{/);
});
