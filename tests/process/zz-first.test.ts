import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { parse } from "graphql";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { ChatsDocument } from "../support/generated/graphql.ts";
import { postOperation } from "../support/http.ts";
import { startProcess, temporaryDirectory, type RunningProcess } from "../support/process.ts";

/** What somebody has in hand who has read what the process printed, and nothing else. */
interface Welcome {
  readonly graphiql: string;
  readonly webSocket: string;
  readonly headers: Record<string, string>;
  readonly tokens: readonly string[];
  readonly subscription: string;
  readonly mutation: string;
  readonly query: string;
}

async function read(started: RunningProcess): Promise<Welcome> {
  const { input } = await started.printed(/Stop with Ctrl\+C\./);
  const one = (pattern: RegExp): string => pattern.exec(input)?.[1] ?? `nothing like ${String(pattern)} was printed`;
  return {
    graphiql: one(/^ *GraphiQL +(\S+)$/m),
    webSocket: one(/^ *WebSocket +(\S+)/m),
    headers: JSON.parse(one(/headers editor: (\{.*\})$/m)) as Record<string, string>,
    tokens: [...input.matchAll(/^ {4}[A-Z]\w+ [A-Z]\w+ +(\S+)$/gm)].map(([, token = ""]) => token),
    subscription: one(/^ *(subscription \{.*\})$/m),
    mutation: one(/^ *(mutation \{.*\})$/m),
    query: one(/^ *(query \{.*\})$/m),
  };
}

/** An operation of which nothing is known before it is read. */
function document(source: string): TypedDocumentNode<Record<string, unknown>, Record<string, never>> {
  return parse(source);
}

test("whoever starts it without any configuration can do at once what it prints, and finds it again the next day", async () => {
  const t0 = Date.now(); let step = ""; const timer = setTimeout(() => process.stderr.write("STUCK at " + step + " procs: " + JSON.stringify([typeof first, ]) + first.output.slice(-400) + first.errors + "\n"), 17000); const at = (s: string) => { step += s + ":" + (Date.now() - t0) + " "; };
  at("1");
  await using directory = await temporaryDirectory();
  at("2");
  const env = { PORT: "0", DEV_API_FILE: join(directory.path, "data", "chat.sqlite"), DRAIN_WINDOW: "0" };
  at("3");
  await using first = await startProcess({ cwd: directory.path, env });
  at("4");
  const welcome = await read(first);

  at("5");
  const page = await fetch(welcome.graphiql, { headers: { accept: "text/html" } });
  at("6");
  expect(page.headers.get("content-type")).toMatch(/^text\/html/);
  at("7");
  expect(await page.text()).toMatch(/graphiql/i);

  at("8");
  const { headers, tokens } = welcome;
  at("9");
  expect(tokens).toHaveLength(3);
  at("10");
  expect(headers).toEqual({ Authorization: `Bearer ${tokens[0]}` });
  at("11");
  const asked = await postOperation(welcome.graphiql, { query: welcome.query }, undefined, headers);
  at("12");
  expect(asked).toMatchObject({
    data: {
      me: { name: "Alice Adams" },
      chats: expect.arrayContaining([expect.objectContaining({ id: expect.any(String) })]),
    },
  });

  at("13");
  await using stack = new AsyncDisposableStack();
  at("14");
  const listeners = tokens.map((token) => stack.use(connect(welcome.webSocket, token)));
  at("15");
  const streams = listeners.map((client) => stack.use(client.subscribe(document(welcome.subscription))));
  at("16");
  await Promise.all(listeners.map((client) => client.run(ChatsDocument)));
  at("17");
  const sent = await postOperation(welcome.graphiql, { query: welcome.mutation }, undefined, headers);
  at("18");
  expect(sent).toMatchObject({ data: { sendMessage: { id: expect.any(String) } } });
  at("19");
  for (const stream of streams) {
    expect(await stream.next()).toMatchObject({
      messageAdded: { content: "Hello!", sender: { name: "Alice Adams" } },
    });
  }

  at("20");
  first.send("SIGINT");
  at("21");
  expect(await first.exited).toEqual({ code: 0, signal: null });
  at("22");
  await using second = await startProcess({ cwd: directory.path, env });
  at("23");
  const again = await read(second);
  at("24");
  const { data } = (await postOperation(
    again.graphiql,
    { query: again.query },
    undefined,
    again.headers,
  )) as unknown as {
    data: { chats: { messages: { nodes: { content: string }[] } }[] };
  };
  at("25");
  const contents = data.chats.flatMap((chat) => chat.messages.nodes.map(({ content }) => content));
  at("26");
  expect(contents.filter((content) => content === "Hello!")).toHaveLength(1);
  at("end"); clearTimeout(timer); process.stderr.write("STEPS " + step + "\n");
});
