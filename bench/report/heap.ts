/** What a heap snapshot of V8 says, by constructor. */

/** As much of the file's format as is used here. */
interface Snapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      readonly node_types: readonly [readonly string[], ...unknown[]];
      readonly edge_fields: readonly string[];
      readonly edge_types: readonly [readonly string[], ...unknown[]];
    };
  };
  readonly nodes: readonly number[];
  readonly edges: readonly number[];
  readonly strings: readonly string[];
}

/** Objects of one kind. */
export interface Share {
  bytes: number;
  count: number;
}

interface Owner {
  readonly node: number;
  /** The name of the reference; `[]` of a numbered one. */
  readonly edge: string;
}

/** Whose owner says more than the name. */
const ANONYMOUS = /^(\(|(Object|Array|Set|Map|Promise|Timeout)$|system)/;
const MAX_WAY = 5;
/** Longer names are texts of strings and code. */
const MAX_NAME = 60;
const VALUES: ReadonlySet<string> = new Set(["string", "concatenated string", "sliced string", "number"]);

class Heap {
  readonly #snapshot: Snapshot;
  readonly nodeSize: number;

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot;
    this.nodeSize = snapshot.snapshot.meta.node_fields.length;
  }

  field(node: number, name: string): number {
    return this.#snapshot.nodes[node + this.#snapshot.snapshot.meta.node_fields.indexOf(name)] ?? 0;
  }

  nameOf(node: number): string {
    const { snapshot, strings } = this.#snapshot;
    const kind = snapshot.meta.node_types[0][this.field(node, "type")] ?? "";
    if (VALUES.has(kind)) return `(${kind})`;
    const own = strings[this.field(node, "name")] ?? "";
    return kind === "object" ? own : `(${kind}) ${own.slice(0, MAX_NAME)}`;
  }

  /** One that refers to each, if possible one with a name. */
  owners(): ReadonlyMap<number, Owner> {
    const { snapshot, nodes, edges, strings } = this.#snapshot;
    const size = snapshot.meta.edge_fields.length;
    const at = (field: string): number => snapshot.meta.edge_fields.indexOf(field);
    const [type, name, target] = [at("type"), at("name_or_index"), at("to_node")];
    const types = snapshot.meta.edge_types[0];
    const owners = new Map<number, Owner>();
    let edge = 0;
    for (let node = 0; node < nodes.length; node += this.nodeSize) {
      const end = edge + this.field(node, "edge_count") * size;
      for (; edge < end; edge += size) {
        const kind = types[edges[edge + type] ?? 0] ?? "";
        const owned = edges[edge + target] ?? 0;
        const known = owners.get(owned);
        if (kind === "weak" || (known && !this.nameOf(known.node).startsWith("("))) continue;
        const label = kind === "element" || kind === "hidden" ? "0" : (strings[edges[edge + name] ?? 0] ?? "");
        owners.set(owned, { node, edge: /^\d+$/.test(label) ? "[]" : label });
      }
    }
    return owners;
  }
}

/** The bytes of the objects themselves. What has no name of its own is called by the way to it from what has. */
export function heapByConstructor(text: string): Map<string, Share> {
  const snapshot = JSON.parse(text) as Snapshot;
  const heap = new Heap(snapshot);
  const owners = heap.owners();
  const shares = new Map<string, Share>();
  for (let node = 0; node < snapshot.nodes.length; node += heap.nodeSize) {
    const bytes = heap.field(node, "self_size");
    if (bytes === 0) continue;
    const label = labelOf(heap, owners, node);
    const share = shares.get(label) ?? { bytes: 0, count: 0 };
    share.bytes += bytes;
    share.count++;
    shares.set(label, share);
  }
  return shares;
}

function labelOf(heap: Heap, owners: ReadonlyMap<number, Owner>, node: number): string {
  const own = heap.nameOf(node);
  const way: string[] = [];
  let [current, label] = [node, own];
  while (ANONYMOUS.test(label) && way.length < MAX_WAY) {
    const owner = owners.get(current);
    if (!owner) break;
    way.unshift(owner.edge);
    current = owner.node;
    label = heap.nameOf(current);
  }
  return way.length === 0 ? own : `${own}  ${label}.${way.join(".")}`;
}
