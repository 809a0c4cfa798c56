/** The normalised cache: one list of messages a chat, whatever they came with. */
import { InMemoryCache, type FieldMergeFunction, type Reference } from "@apollo/client";
import { addNode, addPage, type History, type Reader } from "shared/history.ts";

type Messages = History<Reference>;
type ReadField = (name: string, node: Reference) => unknown;

function reader(readField: ReadField): Reader<Reference> {
  return { key: ({ __ref }) => __ref, createdAt: (node) => String(readField("createdAt", node)) };
}

const merge: FieldMergeFunction<Messages> = (known, page, { args, readField }) =>
  known ? addPage(known, page, args?.["before"], reader(readField)) : page;

export const cache = new InMemoryCache({
  typePolicies: { Chat: { fields: { messages: { keyArgs: false, merge } } } },
});

function changeMessages(chatId: string, change: (known: Messages, readField: ReadField) => Messages): void {
  const messages = (known: unknown, { readField }: { readField: ReadField }): Messages =>
    change(known as Messages, readField);
  cache.modify({ id: `Chat:${chatId}`, fields: { messages } });
}

/** Shows a message that was sent or received. */
export function addMessage({ chatId, id }: { readonly chatId: string; readonly id: string }): void {
  changeMessages(chatId, (known, readField) => addNode(known, { __ref: `Message:${id}` }, reader(readField)));
}

interface Receipt {
  readonly id: string;
  readonly chatId: string;
  readonly messageId?: string | null;
}

/** Adds the reader to a message; without `messageId`, to all. */
export function addReceipt({ id, chatId, messageId }: Receipt): void {
  const added = { __ref: `ReadReceipt:${id}` };
  const readBy = (known: readonly Reference[]): readonly Reference[] =>
    known.some(({ __ref }) => __ref === added.__ref) ? known : [...known, added];
  changeMessages(chatId, (known) => {
    for (const { __ref } of known.nodes)
      if (!messageId || __ref === `Message:${messageId}`) cache.modify({ id: __ref, fields: { readBy } });
    return known;
  });
}
