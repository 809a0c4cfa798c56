/** Where TRUSTED_DOCUMENTS is set nothing else is executed, whatever the transport and however a document is named. */
import { hash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startDiscreetGateway } from "../support/discreet.ts";
import { startGateway } from "../support/gateway.ts";
import { codesOf, fetchResult, type HttpResult } from "../support/http.ts";
import { openAcknowledged, type RawSocket } from "../support/raw-socket.ts";

const ME = "query Me { me { id } }";
const CHAT = "query Chat($id: ID!) { chat(id: $id) { id } }";
const ADDED = "subscription { messageAdded { content } }";
const SEND = 'mutation ($chatId: ID!) { sendMessage(chatId: $chatId, content: "trusted") { id } }';
const TEXTS = [ME, CHAT, ADDED, SEND];

const sha256 = (text: string): string => hash("sha256", text);
const persisted = (sha256Hash: unknown, version: unknown = 1): object => ({
  extensions: { persistedQuery: { version, sha256Hash } },
});

interface File extends AsyncDisposable {
  readonly path: string;
}

async function fileOf(content: string | object): Promise<File> {
  const directory = await mkdtemp(join(tmpdir(), "trusted-"));
  const path = join(directory, "documents.json");
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  return { path, [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) };
}

/** Keys as codegen writes them with its default, with an algorithm that it can be given, and without a prefix. */
const ENTRIES = {
  [`sha256:${sha256(ME)}`]: ME,
  [sha256(CHAT)]: CHAT,
  [hash("sha1", ADDED)]: ADDED,
  [hash("sha1", SEND).toUpperCase()]: SEND,
};

async function postRaw(
  url: string,
  body: object,
  token: string | undefined,
  accept = "application/json",
): Promise<HttpResult> {
  const headers = { "content-type": "application/json", accept, authorization: `Bearer ${token}` };
  return fetchResult(url, { method: "POST", headers, body: JSON.stringify(body) });
}

function address(url: string, parameters: Readonly<Record<string, unknown>>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    search.set(name, typeof value === "string" ? value : JSON.stringify(value));
  }
  return `${url}?${search.toString()}`;
}

/** The first answer to an operation. */
async function answerOver(socket: RawSocket, payload: object): Promise<unknown> {
  const id = crypto.randomUUID();
  socket.send({ id, type: "subscribe", payload });
  for (;;) {
    const message = await socket.next();
    if (message.id === id && message.type !== "complete") return message.payload;
  }
}

/** How a request may name a trusted document. */
const NAMED: readonly (readonly [how: string, request: object])[] = [
  ["its text", { query: ME }],
  ["persistedQuery", persisted(sha256(ME))],
  ["persistedQuery with codegen's prefix", persisted(`sha256:${sha256(ME)}`)],
  ["persistedQuery beside another spelling of its text", { query: `${ME} `, ...persisted(sha256(ME)) }],
  ["documentId", { documentId: `sha256:${sha256(ME)}` }],
  ["documentId without the algorithm", { documentId: sha256(ME) }],
  ["documentId in capitals", { documentId: sha256(ME).toUpperCase() }],
  ["id", { id: sha256(ME) }],
  ["an empty text and documentId", { query: "", documentId: sha256(ME) }],
];

/** What is refused, and how. */
const REFUSED: readonly (readonly [what: string, request: object, code: string])[] = [
  ["another text", { query: "{ chats { id } }" }, "GRAPHQL_VALIDATION_FAILED"],
  ["introspection", { query: "{ __schema { types { name } } }" }, "GRAPHQL_VALIDATION_FAILED"],
  [
    "another mutation",
    { query: 'mutation { sendMessage(chatId: "1", content: "x") { id } }' },
    "GRAPHQL_VALIDATION_FAILED",
  ],
  ["a text that is no document", { query: "{" }, "GRAPHQL_VALIDATION_FAILED"],
  ["a trusted text with a field more", { query: ME.replace("id", "id name") }, "GRAPHQL_VALIDATION_FAILED"],
  ["a hash that is not in the file", persisted(sha256("{ me { id } }")), "PERSISTED_QUERY_NOT_FOUND"],
  ["a documentId that is not in the file", { documentId: `sha256:${sha256("x")}` }, "PERSISTED_QUERY_NOT_FOUND"],
  ["the name of a property that objects have", persisted("__proto__"), "PERSISTED_QUERY_NOT_FOUND"],
  [
    "another text with its own hash",
    { query: "{ chats { id } }", ...persisted(sha256("{ chats { id } }")) },
    "GRAPHQL_VALIDATION_FAILED",
  ],
];

describe("with trusted documents", () => {
  test("a trusted document is executed however it is named, over POST, GET and WebSocket", async () => {
    await using file = await fileOf(ENTRIES);
    await using gateway = await startDiscreetGateway({ TRUSTED_DOCUMENTS: file.path });
    const [alice] = gateway.api.users;
    const expected = { me: { id: alice?.id } };
    await using socket = await openAcknowledged(gateway.wsUrl, alice?.token);
    const authorization = `Bearer ${alice?.token}`;
    const wrong: unknown[] = [];
    for (const [how, request] of NAMED) {
      const posted = await postRaw(gateway.url, request, alice?.token);
      const got = await fetchResult(address(gateway.url, { ...request }), { headers: { authorization } });
      const told = await answerOver(socket, request);
      const answers = [posted.data, got.data, (told as { readonly data: unknown }).data];
      if (answers.some((data) => JSON.stringify(data) !== JSON.stringify(expected))) wrong.push([how, answers]);
    }
    expect(wrong).toEqual([]);
    const withVariables = {
      documentId: sha256(CHAT),
      variables: { id: gateway.api.demoChatId },
      operationName: "Chat",
    };
    expect((await postRaw(gateway.url, withVariables, alice?.token)).data).toEqual({
      chat: { id: gateway.api.demoChatId },
    });
  });

  test("a subscription is executed by its hash over WebSocket and SSE", async () => {
    await using file = await fileOf(ENTRIES);
    await using gateway = await startDiscreetGateway({ TRUSTED_DOCUMENTS: file.path });
    const [alice] = gateway.api.users;
    await using socket = await openAcknowledged(gateway.wsUrl, alice?.token);
    socket.send({ id: "added", type: "subscribe", payload: { documentId: hash("sha1", ADDED) } });
    const response = await fetch(gateway.url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "text/event-stream",
        authorization: `Bearer ${alice?.token}`,
      },
      body: JSON.stringify(persisted(hash("sha1", ADDED))),
    });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const sent = { documentId: hash("sha1", SEND), variables: { chatId: gateway.api.demoChatId } };
    expect((await postRaw(gateway.url, sent, alice?.token)).errors).toBeUndefined();
    expect(await socket.next()).toMatchObject({ payload: { data: { messageAdded: { content: "trusted" } } } });
    let text = "";
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      if (text.includes('"content":"trusted"')) break;
    }
    expect(text).toContain("event: next");
  });

  test("nothing else is executed, over POST, GET, SSE or WebSocket", async () => {
    await using file = await fileOf(ENTRIES);
    await using gateway = await startDiscreetGateway({ TRUSTED_DOCUMENTS: file.path });
    const [alice] = gateway.api.users;
    const token = alice?.token;
    await using socket = await openAcknowledged(gateway.wsUrl, token);
    // Whose token it is may be asked again meanwhile.
    const asked = (): number => gateway.api.faults.requests.count({ path: /^(?!\/auth\/profile)/ });
    const before = asked();
    const wrong: unknown[] = [];
    for (const [what, request, code] of REFUSED) {
      const headers = { authorization: `Bearer ${token}` };
      const answers = [
        (await postRaw(gateway.url, request, token)).errors,
        (await fetchResult(address(gateway.url, { ...request }), { headers })).errors,
        (await postRaw(gateway.url, request, token, "text/event-stream, application/json")).errors,
        (await answerOver(socket, request)) as HttpResult["errors"],
      ];
      const codes = answers.map((errors) => codesOf(errors));
      if (codes.some((found) => JSON.stringify(found) !== JSON.stringify([code]))) wrong.push([what, codes]);
    }
    expect(wrong).toEqual([]);
    expect(asked()).toBe(before);
    expect(gateway.logged.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  });

  test("a refusal is 400 for clients of application/graphql-response+json", async () => {
    await using file = await fileOf(ENTRIES);
    await using gateway = await startDiscreetGateway({ TRUSTED_DOCUMENTS: file.path });
    const accept = "application/graphql-response+json";
    const { status, errors } = await postRaw(
      gateway.url,
      persisted("0".repeat(64)),
      gateway.api.users[0]?.token,
      accept,
    );
    expect([status, errors?.[0]?.message]).toEqual([400, "PersistedQueryNotFound"]);
  });
});

test("without trusted documents a hash alone is not supported, and a text is executed", async () => {
  await using gateway = await startDiscreetGateway();
  const [alice] = gateway.api.users;
  await using socket = await openAcknowledged(gateway.wsUrl, alice?.token);
  const headers = { authorization: `Bearer ${alice?.token}` };
  for (const request of [persisted(sha256(ME)), { documentId: `sha256:${sha256(ME)}` }, { id: sha256(ME) }]) {
    const answers = [
      (await postRaw(gateway.url, request, alice?.token)).errors,
      (await fetchResult(address(gateway.url, { ...request }), { headers })).errors,
      (await answerOver(socket, request)) as HttpResult["errors"],
    ];
    expect(answers.map((errors) => codesOf(errors))).toEqual(answers.map(() => ["PERSISTED_QUERY_NOT_SUPPORTED"]));
    expect(answers.map((errors) => errors?.[0]?.message)).toEqual(answers.map(() => "PersistedQueryNotSupported"));
  }
  const both = { query: ME, ...persisted("whatever") };
  expect((await postRaw(gateway.url, both, alice?.token)).data).toEqual({ me: { id: alice?.id } });
  expect(await answerOver(socket, both)).toEqual({ data: { me: { id: alice?.id } } });
});

describe("a wrong file stops the start, and is named with its entry:", () => {
  const key = `sha256:${sha256("{ me { nothing } }")}`;
  test.each<readonly [what: string, content: string | object, said: string]>([
    ["not JSON", "{", "is not JSON"],
    ["a list", TEXTS, "is not an object of hashes and documents"],
    ["empty", {}, "has no document, so that nothing could be executed"],
    ["a name that is no hash", { Me: ME }, 'entry "Me" is not a hash'],
    ["the hash of another text", { [sha256(CHAT)]: ME }, `entry "${sha256(CHAT)}" is not the sha256 of its document`],
    ["no text", { [sha256(ME)]: { query: ME } }, `entry "${sha256(ME)}" is not the text of a document`],
    [
      "a field that the schema has not",
      { [key]: "{ me { nothing } }" },
      `entry "${key}" has a document that cannot be executed: `,
    ],
    [
      "no document",
      { [sha256("{")]: "{" },
      `entry "${sha256("{")}" has a document that cannot be executed: Syntax Error`,
    ],
  ])("%s", async (_what, content, said) => {
    await using file = await fileOf(content);
    const started = startGateway({ TRUSTED_DOCUMENTS: file.path });
    await expect(started).rejects.toThrow(`TRUSTED_DOCUMENTS: ${file.path} ${said}`);
  });

  test("none at all", async () => {
    const started = startGateway({ TRUSTED_DOCUMENTS: "./nowhere.json" });
    await expect(started).rejects.toThrow("TRUSTED_DOCUMENTS: ./nowhere.json cannot be read");
  });
});
