/** The normalised cache: one list of messages a chat, whatever they came with. */
import { InMemoryCache, type FieldMergeFunction, type Reference } from "@apollo/client";

interface Page {
  readonly nodes: readonly Reference[];
  readonly pageInfo: { readonly hasPreviousPage: boolean; readonly startCursor: string; readonly endCursor: string };
}

type ReadField = (name: string, node: Reference) => unknown;

/** Keeps the outer `pageInfo`: what is before the oldest page, and the end of the newest. */
const mergePages: FieldMergeFunction<Page> = (known, incoming, { args, readField }) => {
  if (!known) return incoming;
  const { hasPreviousPage, startCursor, endCursor } = incoming.pageInfo;
  if (args?.["before"]) {
    // The list was loaded anew meanwhile: this is not the page before it.
    if (args["before"] !== known.pageInfo.startCursor) return known;
    const pageInfo = { ...known.pageInfo, hasPreviousPage, startCursor };
    return { ...known, nodes: inOrder([...incoming.nodes, ...known.nodes], readField), pageInfo };
  }
  const nodes = inOrder([...known.nodes, ...incoming.nodes], readField);
  const first = incoming.nodes[0]?.__ref;
  if (!hasPreviousPage || known.nodes.some(({ __ref }) => __ref === first))
    return { ...known, nodes, pageInfo: { ...known.pageInfo, endCursor } };
  // More than a page was missed: the newest one takes the place of all, and what is between is loaded as older messages.
  return { ...incoming, nodes: nodes.slice(nodes.findIndex(({ __ref }) => __ref === first)) };
};

/** Each message once, in the order of creation. */
function inOrder(nodes: readonly Reference[], readField: ReadField): readonly Reference[] {
  const at = (node: Reference): string => String(readField("createdAt", node));
  const distinct = new Map(nodes.map((node) => [node.__ref, node]));
  return [...distinct.values()].toSorted((a, b) => (at(a) < at(b) ? -1 : Number(at(a) > at(b))));
}

export const cache = new InMemoryCache({
  typePolicies: { Chat: { fields: { messages: { keyArgs: false, merge: mergePages } } } },
});

function changeMessages(chatId: string, change: (known: Page, readField: ReadField) => Page): void {
  const messages = (known: unknown, details: { readField: ReadField }): Page =>
    change(known as Page, details.readField);
  cache.modify({ id: `Chat:${chatId}`, fields: { messages } });
}

/** Shows a message that was sent or received. */
export function addMessage({ chatId, id }: { readonly chatId: string; readonly id: string }): void {
  changeMessages(chatId, (known, readField) => {
    const nodes = inOrder([...known.nodes, { __ref: `Message:${id}` }], readField);
    // What is before the list is loaded as older messages.
    return known.pageInfo.hasPreviousPage && nodes[0] !== known.nodes[0] ? known : { ...known, nodes };
  });
}

/** Adds the reader to a message; without `messageId`, to all. */
export function addReceipt(receipt: {
  readonly id: string;
  readonly chatId: string;
  readonly messageId?: string | null;
}): void {
  const added = { __ref: `ReadReceipt:${receipt.id}` };
  const readBy = (known: readonly Reference[]): readonly Reference[] =>
    known.some(({ __ref }) => __ref === added.__ref) ? known : [...known, added];
  changeMessages(receipt.chatId, (known) => {
    for (const { __ref } of known.nodes)
      if (!receipt.messageId || __ref === `Message:${receipt.messageId}`)
        cache.modify({ id: __ref, fields: { readBy } });
    return known;
  });
}
