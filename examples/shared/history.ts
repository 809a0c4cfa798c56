/** The messages of a chat in a normalised cache: one list, whatever they came with. */

export interface PageInfo {
  readonly hasPreviousPage: boolean;
  readonly startCursor?: string | null;
  readonly endCursor?: string | null;
}

/** Messages as the cache refers to them, what is before the oldest, and the end of the newest page. */
export interface History<Ref> {
  readonly nodes: readonly Ref[];
  readonly pageInfo: PageInfo;
}

/** What is read of a message. */
export interface Reader<Ref> {
  readonly key: (node: Ref) => string;
  readonly createdAt: (node: Ref) => string;
}

/**
 * Adds a page and keeps the outer `pageInfo`.
 *
 * @param before the cursor before which the page was loaded; without one it is the newest page.
 */
export function addPage<Ref>(
  known: History<Ref>,
  page: History<Ref>,
  before: unknown,
  reader: Reader<Ref>,
): History<Ref> {
  const { hasPreviousPage, startCursor, endCursor } = page.pageInfo;
  if (before) {
    // The list was loaded anew meanwhile: this is not the page before it.
    if (before !== known.pageInfo.startCursor) return known;
    const pageInfo = { ...known.pageInfo, hasPreviousPage, startCursor: startCursor ?? null };
    return { ...known, nodes: inOrder([...page.nodes, ...known.nodes], reader), pageInfo };
  }
  const nodes = inOrder([...known.nodes, ...page.nodes], reader);
  const [first] = page.nodes.map(reader.key);
  if (!hasPreviousPage || known.nodes.some((node) => reader.key(node) === first))
    return { ...known, nodes, pageInfo: { ...known.pageInfo, endCursor: endCursor ?? null } };
  // More than a page was missed: the newest one takes the place of all, and what is between is loaded as older messages.
  return { ...page, nodes: nodes.slice(nodes.findIndex((node) => reader.key(node) === first)) };
}

/** Adds a message that was sent or received, in the order of creation. */
export function addNode<Ref>(known: History<Ref>, node: Ref, { key, createdAt }: Reader<Ref>): History<Ref> {
  const { nodes, pageInfo } = known;
  if (nodes.some((other) => key(other) === key(node))) return known;
  const index = nodes.findLastIndex((other) => createdAt(other) <= createdAt(node)) + 1;
  // What is before the list is loaded as older messages.
  return pageInfo.hasPreviousPage && index === 0 ? known : { ...known, nodes: nodes.toSpliced(index, 0, node) };
}

/** Each message once, in the order of creation. */
function inOrder<Ref>(nodes: readonly Ref[], { key, createdAt }: Reader<Ref>): readonly Ref[] {
  const distinct = [...new Map(nodes.map((node) => [key(node), node])).values()];
  const dated = distinct.map((node) => ({ node, at: createdAt(node) }));
  return dated.toSorted((a, b) => (a.at < b.at ? -1 : Number(a.at > b.at))).map(({ node }) => node);
}
