import type { ClientOrigin } from "../call-origin.ts";
import type { Me } from "../chat/model.ts";
import type { Identity, Session } from "../chat/session.ts";
import type { Resumable } from "../fanout/subscriptions.ts";

/** The caller of an operation. The transports differ in this alone. */
export interface Caller {
  /** @throws GatewayError UNAUTHENTICATED, UPSTREAM_… */
  identity(): Promise<Identity>;
  /** The session that a subscription belongs to. @throws GatewayError as `identity`. */
  session(): Promise<Session>;
  /**
   * Goes on with another token of the same user.
   *
   * @throws GatewayError BAD_USER_INPUT where there is no connection that could, or the token is somebody else's; else as `identity`.
   */
  refresh(token: string): Promise<Me>;
  /** A cursor from which a subscription goes on, where the transport has one: it is newer than the operation's `after`. */
  readonly lastEventId: string | undefined;
  /** How a subscription goes on after its connection was lost. Undefined where the transport has no way. */
  readonly resumable: Resumable | undefined;
  /** What the client's request says of itself; undefined where it says nothing. */
  readonly client: ClientOrigin | undefined;
  /** Who it is; undefined until that is known. */
  readonly userId: string | undefined;
  /** The operation is over. Harmless when repeated. */
  release(): void;
}
