/** An Accept header of thousands of media ranges, each of which was compared with each answer that there is. */
import { expect, test } from "vitest";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { startGateway } from "../support/gateway.ts";
import { postOperation } from "../support/http.ts";

const [alice] = DEMO_USERS;

const UNKNOWN = "a/b,".repeat(3000);

test("where none of them can be answered the refusal is short", async () => {
  await using gateway = await startGateway();
  const refusal = await postOperation(gateway.url, { query: "{ me { id } }" }, alice.token, { accept: UNKNOWN });
  expect(refusal.status).toBe(406);
  expect([...refusal.headers].join().length).toBeLessThan(8192);
});

test("the first ones decide", async () => {
  await using gateway = await startGateway();
  const accepts = [
    [`application/json,${UNKNOWN}`, 200],
    [`${UNKNOWN}application/json`, 406],
  ] as const;
  for (const [accept, status] of accepts) {
    const answer = await postOperation(gateway.url, { query: "{ me { id } }" }, alice.token, { accept });
    expect(answer.status).toBe(status);
  }
});
