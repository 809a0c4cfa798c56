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
  /** The parts of the command for a shell. */
  readonly curl: { readonly url: string; readonly headers: Record<string, string>; readonly body: string };
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
    curl: {
      url: one(/^ *curl (\S+) /m),
      headers: { [one(/^ *curl .* -H "([^:]+): /m)]: one(/^ *curl .* -H "[^:]+: ([^"]+)"/m) },
      body: one(/^ *curl .* -d '([^']+)'$/m),
    },
    mutation: one(/^ *(mutation \{.*\})$/m),
    query: one(/^ *(query \{.*\})$/m),
  };
}

/** An operation of which nothing is known before it is read. */
function document(source: string): TypedDocumentNode<Record<string, unknown>, Record<string, never>> {
  return parse(source);
}

// Two starts and a page of some megabytes.
test("a start without any configuration serves at once what it prints, and has it again the next day", async () => {
  await using directory = await temporaryDirectory();
  const env = { PORT: "0", DEV_API_FILE: join(directory.path, "data", "chat.sqlite"), DRAIN_WINDOW: "0" };
  await using first = await startProcess({ cwd: directory.path, env });
  const welcome = await read(first);

  expect(first.output).toMatch(/demo data\.\n\n {2}Demo +http\S+\/demo\n/);
  const page = await fetch(welcome.graphiql, { headers: { accept: "text/html" } });
  expect(page.headers.get("content-type")).toMatch(/^text\/html/);
  await page.body?.cancel();

  const { headers, tokens } = welcome;
  expect(tokens).toHaveLength(3);
  expect(headers).toEqual({ Authorization: `Bearer ${tokens[0]}` });
  const asked = await postOperation(welcome.graphiql, { query: welcome.query }, undefined, headers);
  expect(asked).toMatchObject({
    data: {
      me: { name: "Alice Adams" },
      chats: expect.arrayContaining([expect.objectContaining({ id: expect.any(String) })]),
    },
  });

  await using stack = new AsyncDisposableStack();
  const listeners = tokens.map((token) => stack.use(connect(welcome.webSocket, token)));
  const streams = listeners.map((client) => stack.use(client.subscribe(document(welcome.subscription))));
  await Promise.all(listeners.map((client) => client.run(ChatsDocument)));
  const sent = await postOperation(welcome.graphiql, { query: welcome.mutation }, undefined, headers);
  expect(sent).toMatchObject({ data: { sendMessage: { id: expect.any(String) } } });
  for (const stream of streams) {
    expect(await stream.next()).toMatchObject({
      messageAdded: { content: "Hello!", sender: { name: "Alice Adams" } },
    });
  }

  const { url, ...request } = welcome.curl;
  expect((await fetch(url, { method: "POST", ...request })).status).toBe(201);
  for (const stream of streams) {
    expect(await stream.next()).toMatchObject({
      messageAdded: { content: "Hello from curl!", sender: { name: "Bob Brown" } },
    });
  }

  first.send("SIGINT");
  expect(await first.exited).toEqual({ code: 0, signal: null });
  await using second = await startProcess({ cwd: directory.path, env });
  const again = await read(second);
  const { data } = (await postOperation(
    again.graphiql,
    { query: again.query },
    undefined,
    again.headers,
  )) as unknown as {
    data: { chats: { messages: { nodes: { content: string }[] } }[] };
  };
  const contents = data.chats.flatMap((chat) => chat.messages.nodes.map(({ content }) => content));
  expect(contents.filter((content) => content === "Hello!")).toHaveLength(1);
});
