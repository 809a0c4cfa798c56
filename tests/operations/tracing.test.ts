import { globSync, readFileSync } from "node:fs";
import { print } from "graphql";
import { expect, test } from "vitest";
import { startCollector } from "../support/collector.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { MeDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { postOperation } from "../support/http.ts";
import { startRedis } from "../support/redis.ts";
import { startSmallApi } from "../support/small-api.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CLIENT_SPAN = "b7ad6b7169203331";
const OTHER_TRACE = "1bf7651916cd43dd8448eb211c80319d";

test("one trace has a mutation, its REST call, the publication, and the delivery on another instance", async () => {
  await using collector = await startCollector();
  await using redis = await startRedis();
  const environment = { REDIS_URL: redis.url, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  await using one = await startGateway(environment);
  await using two = await startGateway({ ...environment, HTTP_API_URL: one.api.url });
  const { api } = one;
  const [alice, bob] = api.users;
  const chatId = api.demoChatId;
  await using receiver = connect(two.wsUrl, bob?.token);
  await using received = receiver.subscribe(MessageAddedDocument, { chatId });
  // Answered after the subscription has begun.
  await receiver.run(MeDocument);
  const send = async (content: string, traceparent: string): Promise<void> => {
    const operation = { query: print(SendMessageDocument), variables: { chatId, content } };
    expect((await postOperation(one.url, operation, alice?.token, { traceparent })).errors).toBeUndefined();
    expect((await received.next()).messageAdded.content).toBe(content);
  };
  await send("of a trace that is exported", `00-${TRACE}-${CLIENT_SPAN}-01`);
  await send("of one that is not", `00-${OTHER_TRACE}-${CLIENT_SPAN}-00`);
  // What has ended is exported.
  await Promise.all([one.close(), two.close()]);

  const spans = collector.spans.filter(({ traceId }) => traceId === TRACE);
  const of = (name: string) => {
    const found = spans.filter((span) => span.name === name);
    expect([name, found.length]).toEqual([name, 1]);
    return found[0];
  };
  const mutation = of("mutation sendMessage");
  const request = of("POST /chats/:chatId/messages");
  const publication = of("publish message.created");
  const delivery = of("deliver message.created");
  expect(mutation).toMatchObject({ parentSpanId: CLIENT_SPAN, kind: 2 });
  expect(request).toMatchObject({
    parentSpanId: mutation?.spanId,
    kind: 3,
    said: { "http.response.status_code": "201", "url.template": "/chats/:chatId/messages" },
  });
  expect(publication).toMatchObject({ parentSpanId: mutation?.spanId, kind: 4 });
  expect(delivery).toMatchObject({ parentSpanId: publication?.spanId, kind: 5, said: { "delivery.recipients": "1" } });
  expect(delivery?.said["event.position"]).toBe(publication?.said["event.position"]);
  const [sender] = one.logged;
  expect([mutation, request, publication].map((span) => span?.instance)).toEqual(Array(3).fill(sender?.["instance"]));
  expect(delivery?.instance).toBe(two.logged[0]?.["instance"]);
  for (const { startTimeUnixNano, endTimeUnixNano } of spans)
    expect(BigInt(endTimeUnixNano) >= BigInt(startTimeUnixNano)).toBe(true);

  expect(collector.spans.some(({ traceId }) => traceId === OTHER_TRACE)).toBe(false);
  for (const secret of [alice?.token ?? "", bob?.token ?? "", "of a trace"])
    expect(collector.bodies.join()).not.toContain(secret);
});

test("a collector that is away delays nothing, and the log says so", async () => {
  const collector = await startCollector();
  await collector[Symbol.asyncDispose]();
  await using api = await startSmallApi({});
  await using gateway = await startGateway({ HTTP_API_URL: api.url, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  const traceparent = `00-${TRACE}-${CLIENT_SPAN}-01`;
  const { errors } = await postOperation(gateway.url, { query: "{ chats { id } }" }, "token", { traceparent });
  expect(errors).toBeUndefined();
  // The REST API is told of the span that is its request's, in the client's trace.
  const [, trace, span, flags] = String(api.requests.find(({ url }) => url === "/chats")?.headers["traceparent"]).split(
    "-",
  );
  expect([trace, flags]).toEqual([TRACE, "01"]);
  expect(span).not.toBe(CLIENT_SPAN);
  await gateway.close();
  expect(gateway.logged.map(({ msg }) => msg)).toContain("traces could not be exported");
});

test("OpenTelemetry is loaded where it is configured alone", () => {
  const files = globSync("src/**/*.ts").map((path) => ({ path, source: readFileSync(path, "utf8") }));
  const using = (text: RegExp): string[] => files.filter(({ source }) => text.test(source)).map(({ path }) => path);
  expect(using(/from "@opentelemetry\//)).toEqual(["src/open-telemetry.ts"]);
  expect(using(/from ".*\/open-telemetry\.ts"/)).toEqual([]);
  expect(using(/import\(".*\/open-telemetry\.ts"\)/)).toEqual(["src/gateway.ts"]);
});
