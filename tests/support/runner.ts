/** Queries and mutations over either transport, so that one test can be told of both. */
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print, type FormattedExecutionResult } from "graphql";
import { connect, ResultErrors, type TestClient } from "./client.ts";
import type { TestGateway } from "./gateway.ts";

/** Runs queries and mutations, over whatever transport. */
export interface Runner extends AsyncDisposable {
  readonly run: TestClient["run"];
}

/** Every query and mutation takes both. */
export const TRANSPORTS = ["WebSocket", "HTTP"] as const;

/** A client that asks over one of {@link TRANSPORTS}. */
export function runnerOver(
  transport: (typeof TRANSPORTS)[number],
  gateway: Pick<TestGateway, "url" | "wsUrl">,
  token: string | undefined,
): Runner {
  return transport === "HTTP" ? overHttp(gateway.url, token) : connect(gateway.wsUrl, token);
}

/** One POST an operation. */
export function overHttp(url: string, token: string | undefined): Runner {
  return {
    run: (document, variables) => post(url, token, document, variables),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

async function post<Data, Variables extends Record<string, unknown>>(
  url: string,
  token: string | undefined,
  document: TypedDocumentNode<Data, Variables>,
  variables?: Variables,
): Promise<Data> {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/graphql-response+json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query: print(document), variables }),
  });
  const result = (await response.json()) as FormattedExecutionResult<Data>;
  if (result.errors) throw new ResultErrors(result.errors);
  if (result.data === undefined || result.data === null) throw new Error("the answer has neither data nor errors");
  return result.data;
}
