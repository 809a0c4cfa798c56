/** Answers of many megabytes: their limit, and that others have their turn while they are read. */
import { array, assert, asyncProperty, constantFrom, jsonValue } from "fast-check";
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { parse } from "graphql";
import { describe, expect, test } from "vitest";
import { parseJson } from "../../src/upstream/parse-json.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { chatRecord, messageRecord, startSmallApi } from "../support/small-api.ts";

const CHATS = 9000;

const IDS: TypedDocumentNode<{ chats: readonly { id: string }[] }> = parse("{ chats { id } }");

/** Over 5 MB. */
function manyChats(): Record<string, unknown>[] {
  return Array.from({ length: CHATS }, (_, n) =>
    chatRecord(`chat-${n}`, { lastMessage: messageRecord(`m${n}`, `chat-${n}`, { content: "x".repeat(300) }) }),
  );
}

test("a list over HTTP_API_MAX_RESPONSE closes with 1013, and the log names the variable", async () => {
  await using api = await startSmallApi({ chats: manyChats() });
  await using gateway = await startGateway({ HTTP_API_URL: api.url });
  await using client = connect(gateway.wsUrl, "token");
  expect((await client.closed).code).toBe(1013);
  expect(JSON.stringify(gateway.logged)).toContain(
    "GET /chats: the answer is over 5000000 bytes (HTTP_API_MAX_RESPONSE)",
  );
});

test("nine thousand chats work where HTTP_API_MAX_RESPONSE is raised", async () => {
  await using api = await startSmallApi({ chats: manyChats() });
  await using gateway = await startGateway({ HTTP_API_URL: api.url, HTTP_API_MAX_RESPONSE: "20000000" });
  await using client = connect(gateway.wsUrl, "token");
  const { chats } = await client.run(IDS);
  expect(new Set(chats.map(({ id }) => id)).size).toBe(CHATS);
});

describe("long JSON", () => {
  test("is parsed with turns for others in between", async () => {
    const text = JSON.stringify({ payload: { chats: manyChats() } });
    let turns = 0;
    const count = (): void => {
      turns++;
      next = setImmediate(count);
    };
    let next = setImmediate(count);
    const parsed = await parseJson(text);
    clearImmediate(next);
    expect(turns).toBeGreaterThan(1);
    expect(parsed).toEqual(JSON.parse(text));
  });

  test("is what JSON.parse makes of it, whatever is in it", async () => {
    const filling = ["x".repeat(300_000), { 'a"b\\': ['\\"', "]", "}"] }];
    const values = array(jsonValue(), { maxLength: 5 });
    await assert(
      asyncProperty(values, constantFrom(0, 1, 2), async (json, indent) => {
        const text = JSON.stringify({ before: json, filling, list: [...json, filling] }, null, indent);
        expect(await parseJson(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 60 },
    );
  });

  const long = `"${"x".repeat(300_000)}"`;
  test.each([
    `[${long},]`,
    `[${long}`,
    `{"a":${long},}`,
    `{"a" ${long}}`,
    `[${long}] x`,
    `{${long}}`,
    `[${long}}`,
    `[,${long}]`,
  ])("that is none is refused: case %#", async (text) => {
    await expect(parseJson(text)).rejects.toThrow(SyntaxError);
  });
});
