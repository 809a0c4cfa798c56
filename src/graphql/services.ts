import type { Access } from "../chat/access.ts";
import type { Chats } from "../chat/chats.ts";
import type { Cursors } from "../chat/cursor.ts";
import type { History } from "../chat/history.ts";
import type { Messages } from "../chat/messages.ts";
import type { Presence } from "../chat/presence.ts";
import type { OperationLimit } from "../chat/rate-limit.ts";
import type { Receipts } from "../chat/receipts.ts";
import type { Typing } from "../chat/typing.ts";
import type { FairTurns } from "../fair-turns.ts";
import type { Subscriptions } from "../fanout/subscriptions.ts";

/** The domain, as resolvers call it. */
export interface Services {
  readonly access: Access;
  readonly chats: Chats;
  readonly cursors: Cursors;
  readonly history: History;
  readonly messages: Messages;
  readonly operationLimit: OperationLimit;
  readonly presence: Presence;
  readonly receipts: Receipts;
  readonly subscriptions: Subscriptions;
  /** Of what users can cause a lot of. */
  readonly turns: FairTurns;
  readonly typing: Typing;
}
