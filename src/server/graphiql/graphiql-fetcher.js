// Runs in the browser, inlined into GraphiQL's page: sends what the editor holds to the address the page came from.
// Queries and mutations go as POST, subscriptions over WebSocket; the Headers editor's content goes with both.

/** The page's own address, so that it holds behind TLS and under a path prefix. */
function endpoint() {
  return new URL(location.pathname, location.origin);
}

function socketEndpoint() {
  const url = endpoint();
  url.protocol = url.protocol.replace("http", "ws");
  return url.href;
}

/** What was typed, without an Authorization that was left without a token: nobody is not a wrong somebody. */
function filledHeaders(headers = {}) {
  return Object.fromEntries(Object.entries(headers).filter(([name, value]) => !isEmptyToken(name, value)));
}

function isEmptyToken(name, value) {
  return name.toLowerCase() === "authorization" && /^(Bearer)?\s*$/i.test(value);
}

function isSubscription(documentAST, operationName) {
  const operations = (documentAST?.definitions ?? []).filter(({ kind }) => kind === "OperationDefinition");
  const chosen = operations.find(({ name }) => name?.value === operationName) ?? operations[0];
  return chosen?.operation === "subscription";
}

async function post(params, headers) {
  const response = await fetch(endpoint(), {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/graphql-response+json, application/json",
      ...headers,
    },
    body: JSON.stringify(params),
  });
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return { errors: [{ message: `HTTP ${response.status}: ${text}` }] };
  }
}

/** One client for one text of the headers: another text says that somebody else connects, so the old connection goes. */
function createClients() {
  let current;
  return (connectionParams) => {
    const key = JSON.stringify(connectionParams);
    if (current?.key === key) return current.client;
    void current?.client.dispose();
    const client = globalThis.graphqlWs.createClient({
      url: socketEndpoint(),
      connectionParams,
      // The same token is refused again, and a person is waiting for the answer. Everything else may pass.
      shouldRetry: ({ code }) => code !== 4403,
    });
    current = { key, client };
    return client;
  };
}

/** An array is GraphQL's errors, an Error is told with its message, and a close has neither. */
function readableError(error) {
  if (Array.isArray(error)) return error;
  if (typeof error?.code === "number") {
    return [{ message: `The connection was closed: ${error.code} ${error.reason}`.trimEnd() }];
  }
  return [{ message: error instanceof Error ? error.message : "The connection failed." }];
}

function createFetcher() {
  const clientFor = createClients();
  return (params, { headers, documentAST } = {}) => {
    const filled = filledHeaders(headers);
    if (!isSubscription(documentAST, params.operationName)) return post(params, filled);
    const observe = (sink) =>
      clientFor(filled).subscribe(params, {
        next: (result) => sink.next(result),
        error: (error) => sink.error(readableError(error)),
        complete: () => sink.complete(),
      });
    return { subscribe: (sink) => ({ unsubscribe: observe(sink) }) };
  };
}

globalThis.startGraphiQL = (options) => {
  globalThis.YogaGraphiQL.renderYogaGraphiQL(document.querySelector("#root"), {
    ...options,
    fetcher: createFetcher(),
    // The editor's text stays out of the address, which servers and proxies log.
    initialQuery: undefined,
    onEditQuery: () => {},
  });
};
