import type { Variables } from "./operate.ts";
import type { ChatClientOptions, Token } from "./types.ts";

/** By then it is too late. */
const LAST_MS = 1000;

/** A timer of more than 24 days would fire at once. */
const LONGEST_TIMER_MS = 86_400_000;

/** What uses the token. */
interface Session {
  /** Undefined while there is no connection. */
  readonly socket: unknown;
  /** Called when a connection comes about or is lost. */
  readonly listeners: Set<() => void>;
  run(query: string, variables: Variables, retryUntil: number): Promise<unknown>;
}

/** The next token, whenever one is needed. */
export interface TokenSource {
  /** The token to connect with. */
  use(): Token;
  /** Asks for a token; false where there is none but the one that was refused. Rejects where the application's function does. */
  next(): Promise<boolean>;
  /** The gateway has ended the session: its token is not used again. */
  refuse(): void;
}

/**
 * While there is a connection, gets the next token before the current one expires: after half of the time that is left,
 * and again while there is no other.
 */
export function tokenSource(session: Session, source: ChatClientOptions["token"]): TokenSource {
  let current: Token;
  /** What the session goes on with: a newer token that did not reach the gateway is not refused with it. */
  let used: Token;
  let refused: Token;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const next = async (): Promise<boolean> => {
    const token = await (typeof source === "function" ? source() : source);
    if (!token || token === refused) return false;
    current = token;
    return true;
  };
  const watch = (): void => {
    clearTimeout(timer);
    const watched = current;
    const leftMs = expiryOf(watched) - Date.now();
    const renew = async (): Promise<void> => {
      // Whatever goes wrong here, the session ends with its token, and the next connect asks again.
      await next().catch(() => undefined);
      const token = current;
      if (token !== watched)
        session.run("mutation($token:String!){refreshToken(token:$token){id}}", { token }, 0).then(
          () => (used = token),
          () => undefined,
        );
      watch();
    };
    if (session.socket && leftMs > LAST_MS) timer = setTimeout(renew, Math.min(leftMs / 2, LONGEST_TIMER_MS));
  };
  session.listeners.add(watch);
  return {
    use: () => (used = current),
    next,
    refuse: () => (refused = used),
  };
}

/** In ms since 1970; NaN where the token is no JWT or never expires. */
function expiryOf(token: Token): number {
  try {
    const claims = (token as string).split(".")[1] as string;
    // "-" stands for "+". Read as "/" it changes texts among the claims, but no number.
    return (JSON.parse(atob(claims.replace(/[-_]/g, "/"))) as { exp: number }).exp * 1000;
  } catch {
    return NaN;
  }
}
