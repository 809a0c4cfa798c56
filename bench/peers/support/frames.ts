/** The JSON frames that the two plain servers speak. */
import type { Message } from "./backend.ts";

export type ClientFrame =
  | { readonly type: "hello"; readonly token: string }
  | { readonly type: "join" }
  | { readonly type: "send"; readonly id: number; readonly chatId: string; readonly content: string };

export type ServerFrame =
  | { readonly type: "ready"; readonly userId: string }
  | { readonly type: "sent"; readonly id: number; readonly messageId: string }
  | { readonly type: "message"; readonly message: Message }
  | { readonly type: "failed"; readonly reason: string };

export function encode(frame: ServerFrame): string {
  return JSON.stringify(frame);
}

export function decode(text: string): ClientFrame {
  return JSON.parse(text) as ClientFrame;
}
