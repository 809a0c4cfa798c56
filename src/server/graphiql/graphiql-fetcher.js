// Runs in the browser, inlined into GraphiQL's page: sends what the editor holds to the address the page came from.
// Queries and mutations go as POST, subscriptions over WebSocket; the Headers editor's content goes with both.

/** A query or mutation that has no answer by then has none. */
const ANSWER_TIMEOUT_MS = 30_000;

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

async function send(params, headers) {
  try {
    const response = await fetch(endpoint(), {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/graphql-response+json, application/json",
        ...headers,
      },
      body: JSON.stringify(params),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    return { status: response.status, text: await response.text() };
  } catch {
    return undefined;
  }
}

async function post(params, headers) {
  const answer = await send(params, headers);
  globalThis.showTrouble(answer ? "" : globalThis.UNREACHABLE);
  if (!answer) return { errors: [{ message: globalThis.UNREACHABLE }] };
  try {
    const result = JSON.parse(answer.text);
    const refusal = result.errors?.find(({ extensions }) => extensions?.code === "UNAUTHENTICATED");
    if (refusal) globalThis.showRefusal(refusal.message);
    return result;
  } catch {
    return { errors: [{ message: `HTTP ${answer.status}: ${answer.text}` }] };
  }
}

/** One connection for one text of the headers: another text says that somebody else connects, so the old one goes. */
function createConnections() {
  let current;
  return (connectionParams) => {
    const key = JSON.stringify(connectionParams);
    if (current?.key === key) return current.connection;
    current?.connection.dispose();
    const connection = new globalThis.GatewayConnection(socketEndpoint(), connectionParams);
    current = { key, connection };
    return connection;
  };
}

function createFetcher() {
  const connectionFor = createConnections();
  return (params, { headers, documentAST } = {}) => {
    const filled = filledHeaders(headers);
    if (!isSubscription(documentAST, params.operationName)) return post(params, filled);
    return { subscribe: (sink) => ({ unsubscribe: connectionFor(filled).subscribe(params, sink) }) };
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
