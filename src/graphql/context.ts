/** What every resolver gets, over WebSocket, HTTP and SSE alike. One context an operation. */
import type { DocumentNode, OperationTypeNode } from "graphql";
import type { Chats } from "../chat/chats.ts";
import type { Messages } from "../chat/messages.ts";
import type { Presence } from "../chat/presence.ts";
import type { Receipts } from "../chat/receipts.ts";
import type { History } from "../chat/history.ts";
import type { Access } from "../chat/access.ts";
import type { Typing } from "../chat/typing.ts";
import type { Me } from "../chat/model.ts";
import type { Identity, Session } from "../chat/session.ts";
import type { Resumable, Subscriptions } from "../fanout/subscriptions.ts";
import type { Log } from "../log.ts";
import type { Loaders } from "./loaders.ts";

/** The domain, as resolvers call it. */
export interface Services {
  readonly access: Access;
  readonly chats: Chats;
  readonly history: History;
  readonly messages: Messages;
  readonly presence: Presence;
  readonly receipts: Receipts;
  readonly subscriptions: Subscriptions;
  readonly typing: Typing;
}

/** Who stands behind an operation. The transports differ in this alone. */
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
  /** How a subscription goes on after its connection was lost. Undefined where the transport has no way. */
  readonly resumable: Resumable | undefined;
  /** The operation is over. Harmless when repeated. */
  release(): void;
}

/** An operation that is right as far as can be told before it runs. */
export interface Operation {
  readonly type: OperationTypeNode;
  readonly document: DocumentNode;
  readonly operationName: string | undefined;
  readonly variables: Readonly<Record<string, unknown>> | undefined;
}

/** One operation on its way through the pipeline. What a running subscription holds of it is kept small. */
export interface Context {
  readonly operation: Operation;
  readonly caller: Caller;
  readonly services: Services;
  readonly loaders: Loaders;
  /** What errors and the log know this operation by. */
  readonly requestId: string;
  readonly log: Log;
}
