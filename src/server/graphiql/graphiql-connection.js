// Runs in the browser, inlined into GraphiQL's page before the fetcher: its WebSocket, and the line that tells what is wrong.

/** The same token is refused again, and a person is waiting for the answer. Everything else may pass. */
const REFUSED = 4403;

const PING_INTERVAL_MS = 10_000;
const PONG_TIMEOUT_MS = 5000;
const CONNECT_TIMEOUT_MS = 10_000;
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 4000;

globalThis.UNREACHABLE = "The gateway cannot be reached.";
const RETRYING = `${globalThis.UNREACHABLE} Trying again…`;

/** Shows `text` above the editors, or nothing where it is empty. */
globalThis.showTrouble = (text) => {
  const line = document.querySelector("#trouble");
  line.hidden = text === "";
  line.textContent = text;
};

globalThis.showRefusal = (reason) =>
  globalThis.showTrouble(
    `${reason.replace(/\.?$/, ".")} Put a valid token into the Headers editor, then run it again.`,
  );

/** An array is GraphQL's errors, an Error is told with its message, and a close has neither. */
function readableError(error) {
  if (Array.isArray(error)) return error;
  if (typeof error?.code === "number") {
    return [{ message: `The connection was closed: ${error.code} ${error.reason}`.trimEnd() }];
  }
  return [{ message: error instanceof Error ? error.message : "The connection failed." }];
}

function retryWait(attempt) {
  const longest = Math.min(FIRST_RETRY_MS * 2 ** attempt, MAX_RETRY_MS);
  return new Promise((resolve) => {
    setTimeout(resolve, longest * (0.5 + Math.random() / 2));
  });
}

/** A connection for one text of the headers. While subscriptions run it connects again and again. */
class Connection {
  /** Each running subscription's place for results, and what it shows: `nothing`, `trouble` or `results`. */
  #running = new Map();
  #client;
  #pongTimer;

  constructor(url, connectionParams) {
    this.#client = globalThis.graphqlWs.createClient({
      url,
      connectionParams,
      shouldRetry: ({ code }) => code !== REFUSED,
      retryAttempts: Infinity,
      retryWait,
      keepAlive: PING_INTERVAL_MS,
      connectionAckWaitTimeout: CONNECT_TIMEOUT_MS,
      on: {
        connected: () => this.#connected(),
        closed: (event) => this.#closed(event),
        // A network that swallows everything closes no socket: a ping without an answer does.
        ping: (isReceived) => {
          if (isReceived) return;
          clearTimeout(this.#pongTimer);
          this.#pongTimer = setTimeout(() => this.#client.terminate(), PONG_TIMEOUT_MS);
        },
        pong: (isReceived) => isReceived && clearTimeout(this.#pongTimer),
      },
    });
  }

  /** @returns what ends the subscription. */
  subscribe(params, sink) {
    const end = (tell) => {
      if (this.#running.delete(sink)) tell?.();
    };
    this.#running.set(sink, "nothing");
    const unsubscribe = this.#client.subscribe(params, {
      next: (result) => {
        if (this.#running.has(sink)) this.#show(sink, "results", result);
      },
      error: (error) => {
        // Given up; what was refused is told until something else runs.
        if (error?.code !== REFUSED) globalThis.showTrouble("");
        end(() => sink.error(readableError(error)));
      },
      complete: () => end(() => sink.complete()),
    });
    return () => {
      end();
      globalThis.showTrouble("");
      unsubscribe();
    };
  }

  dispose() {
    void this.#client.dispose();
  }

  #show(sink, what, result) {
    this.#running.set(sink, what);
    sink.next(result);
  }

  #connected() {
    globalThis.showTrouble("");
    for (const [sink, shown] of this.#running) {
      if (shown === "trouble")
        this.#show(sink, "nothing", { extensions: { connection: "Connected. Results come here." } });
    }
  }

  #closed({ code, reason }) {
    clearTimeout(this.#pongTimer);
    if (this.#running.size === 0) return;
    if (code === REFUSED) {
      globalThis.showRefusal(reason);
      return;
    }
    globalThis.showTrouble(RETRYING);
    for (const [sink, shown] of this.#running) {
      // Results that are there stay.
      if (shown === "nothing")
        this.#show(sink, "trouble", { errors: [{ message: RETRYING, extensions: { code, reason } }] });
    }
  }
}

globalThis.GatewayConnection = Connection;
