import { EventEmitter, once } from "node:events";
import { print } from "graphql";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { startGatewayProcess } from "../support/gateway-process.ts";
import {
  ChatsDocument,
  MessageAddedDocument,
  PresenceChangedDocument,
  SendMessageDocument,
} from "../support/generated/graphql.ts";
import { postOperation, type HttpResult } from "../support/http.ts";
import { START_COMMAND, startProcess } from "../support/process.ts";
import { recordingLog } from "../support/rest-chat-api.ts";

const LEVELS = [10, 20, 30, 40, 50, 60];

test("where nobody looks on, every line is JSON with time, level and msg, and standard error is silent", async () => {
  await using gateway = await startGatewayProcess({ LOG_LEVEL: "trace" });
  const { process, api, wsUrl } = gateway;
  using down = api.faults.down();
  await using refused = connect(wsUrl, api.users[0]?.token);
  expect((await refused.closed).code).toBe(1013);
  down.lift();
  await using client = connect(wsUrl, api.users[0]?.token);
  await client.run(ChatsDocument);
  process.send("SIGTERM");
  await process.exited;
  const lines = process.output.trimEnd().split("\n");
  expect(lines.length).toBeGreaterThanOrEqual(4);
  for (const line of lines) {
    const entry = JSON.parse(line) as Record<string, unknown>;
    expect(LEVELS).toContain(entry["level"]);
    expect(new Date(String(entry["time"])).toJSON()).toBe(entry["time"]);
    expect(entry["msg"]).toMatch(/^\w/);
  }
  expect(process.errors).toBe("");
});

test("on a terminal the log is for reading, and Ctrl+C stops the process as it should", async () => {
  const command = START_COMMAND.map((word) => `'${word}'`).join(" ");
  const env = { PORT: "0", DEV_API_FILE: ":memory:", DRAIN_WINDOW: "0" };
  // `script` of util-linux gives what it runs a terminal; the shell that it starts is to leave it to the gateway.
  await using terminal = await startProcess({ command: ["script", "-qec", `exec ${command}`, "/dev/null"], env });
  await terminal.printed(/Stop with Ctrl\+C\./);
  expect(terminal.log).toEqual([]);
  expect(terminal.output).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] .*INFO.*listening/m);
  terminal.type("\u0003");
  expect(await terminal.exited).toEqual({ code: 0, signal: null });
  expect(terminal.output).toMatch(/stopping[^]*SIGINT[^]*stopped/);
});

test("no token is ever in the log, whatever goes wrong with it", async () => {
  await using gateway = await startGatewayProcess({ LOG_LEVEL: "trace" });
  const { process, api, url, wsUrl } = gateway;
  const secret = (name: string): string => `secret-of-${name}`;
  const tokens = api.users.map(({ id, name }) => api.data.issueToken(id, { token: secret(name.split(" ")[0] ?? "") }));
  const [alice, bob, carol] = tokens;
  await using byToken = connect(wsUrl, alice);
  await using byBearer = connect(wsUrl, undefined, { connectionParams: { Authorization: `Bearer ${bob}` } });
  class WithHeader extends WebSocket {
    constructor(address: string, protocols: string) {
      super(address, protocols, { headers: { authorization: `Bearer ${carol}` } });
    }
  }
  await using byHeader = connect(wsUrl, undefined, { webSocketImpl: WithHeader });
  const clients = [byToken, byBearer, byHeader];
  await using heard = byHeader.subscribe(MessageAddedDocument);
  for (const client of clients) await client.run(ChatsDocument);
  const post = async (token: string | undefined): Promise<HttpResult> =>
    postOperation(
      url,
      { query: print(SendMessageDocument), variables: { chatId: api.demoChatId, content: "hello" } },
      token,
    );
  expect(await post(alice)).toHaveProperty("data.sendMessage.content", "hello");
  expect((await heard.next()).messageAdded.content).toBe("hello");

  await using stranger = connect(wsUrl, secret("stranger"));
  expect((await stranger.closed).code).toBe(4403);
  expect(await post(secret("stranger"))).toHaveProperty("errors");
  // A token that no header can carry, and one in the wrong place.
  await using unspeakable = connect(wsUrl, `${secret("newline")}\n`);
  await unspeakable.closed;
  await fetch(`${url}?token=${secret("url")}`);
  const faults = [
    () => api.faults.down({ times: 10 }),
    () => api.faults.answer({ status: 500, body: { error: `Bearer ${alice}` } }, { times: 10 }),
    () => api.faults.wrongJson({ times: 10 }),
    () => api.faults.html({ times: 10 }),
  ];
  for (const start of faults) {
    const fault = start();
    await using late = connect(wsUrl, secret("late"));
    expect((await late.closed).code).toBe(1013);
    await expect(byToken.run(SendMessageDocument, { chatId: api.demoChatId, content: "x" })).rejects.toBeDefined();
    await post(bob);
    fault.lift();
  }
  api.data.revokeToken(bob ?? "");
  await expect(byBearer.run(ChatsDocument)).rejects.toBeDefined();
  expect((await byBearer.closed).code).toBe(4403);
  const broken = new WebSocket(wsUrl, "graphql-transport-ws");
  const gone = new Promise((resolve) => broken.once("close", resolve));
  broken.once("open", () => broken.send(`{"type":"connection_init","payload":{"token":"${secret("broken")}"`));
  await gone;
  await byToken.run(ChatsDocument);
  process.send("SIGTERM");
  expect((await process.exited).code).toBe(0);

  const everything = process.output + process.errors;
  expect(process.log.filter(({ level }) => Number(level) >= 40).length).toBeGreaterThanOrEqual(faults.length * 2);
  expect(everything).toContain("a connection could not be authorised");
  expect(everything.split("\n").filter((line) => line.includes("secret-of-"))).toEqual([]);
});

test("the statistics count what there is", async () => {
  const written = new EventEmitter();
  const { log, lines } = recordingLog(() => written.emit(String(lines.at(-1)?.["msg"]), lines.at(-1)));
  /** The first line that is written after the call in which all is said that happened before. */
  async function next(awaited: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    for (;;) {
      const [line] = (await once(written, "statistics")) as [Record<string, unknown>];
      if (Object.entries(awaited).every(([name, value]) => line[name] === value)) return line;
    }
  }
  await using gateway = await startGateway({}, { log, statisticsIntervalMs: 20 });
  const [alice, bob] = gateway.api.users;
  const chatId = gateway.api.demoChatId;
  const nothing = { connections: 0, sessions: 0, tokens: 0, subscriptions: 0, rooms: 0, delivered: 0 };
  expect(await next()).toMatchObject({ level: 30, ...nothing, heapBytes: expect.any(Number) });

  await using first = connect(gateway.wsUrl, alice?.token);
  await using second = connect(gateway.wsUrl, alice?.token);
  await using third = connect(gateway.wsUrl, bob?.token);
  first.subscribe(MessageAddedDocument, { chatId });
  second.subscribe(MessageAddedDocument, { chatId });
  third.subscribe(PresenceChangedDocument, { chatId });
  for (const client of [first, second, third]) await client.run(ChatsDocument);
  const connected = { connections: 3, sessions: 3, tokens: 2, subscriptions: 3, rooms: 1 };
  expect(await next({ subscriptions: 3 })).toMatchObject({ ...connected, delivered: 0 });

  await third.run(SendMessageDocument, { chatId, content: "hello" });
  expect(await next({ delivered: 2 })).toMatchObject(connected);

  for (const { client } of [first, second, third]) await client.dispose();
  expect(await next({ connections: 0, sessions: 0 })).toMatchObject({ ...nothing, delivered: 2 });
});
