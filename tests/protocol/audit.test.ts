/** The GraphQL over HTTP specification, as graphql-http's own suite asks for it. */
import { serverAudits } from "graphql-http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startDiscreetGateway, type DiscreetGateway } from "../support/discreet.ts";

let gateway: DiscreetGateway;

beforeAll(async () => {
  gateway = await startDiscreetGateway();
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

const AUDITS = serverAudits({ url: () => gateway.url });

test.each(AUDITS.map((audit) => [audit.id, audit.name, audit] as const))("%s %s", async (_id, _name, audit) => {
  expect(await audit.fn()).toMatchObject({ status: "ok" });
});
