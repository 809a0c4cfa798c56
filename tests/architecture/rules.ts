/** The rules that keep the layers apart, as sentences for who broke one. */
import { posix } from "node:path";
import { type ESTree, parseSync, Visitor } from "vite";

/** From top to bottom; an import goes down, never up nor sideways. */
const STEPS = [
  ["main"],
  ["gateway"],
  ["server"],
  ["graphql"],
  ["fanout"],
  ["recovery"],
  ["chat"],
  ["upstream", "bus"],
  ["foundation"],
] as const;

const ORDER = "main → gateway → server → graphql → fanout → recovery → chat → upstream, bus → foundation";

/** What belongs in a layer, to complete "… belongs in". */
const HOMES: Readonly<Record<string, string>> = {
  main: "src/main.ts: signals and the exit code; src/index.ts: what the package exports",
  gateway: "src/gateway.ts: putting the parts together",
  server: "src/server/: the edges, HTTP and WebSocket",
  graphql: "src/graphql/: the schema and its resolvers",
  fanout: "src/fanout/: from one event to many sockets",
  recovery: "src/recovery/: what a listener has missed",
  chat: "src/chat/: the domain, without GraphQL",
  upstream: "src/upstream/: the REST API",
  bus: "src/bus/: events between processes",
  foundation: "src/*.ts: what every layer needs",
  config: "src/config/: the environment, read once",
  dev: "src/dev/: the embedded development API",
};

/** What only some layers may import, and why. */
const PACKAGES: readonly { readonly name: RegExp; readonly layers: readonly string[]; readonly instead: string }[] = [
  { name: /^(ioredis|graphql-redis-subscriptions)$/, layers: ["bus"], instead: "other layers use the bus's port" },
  { name: /^(undici|cockatiel)$/, layers: ["upstream"], instead: "other layers use ChatApi" },
  { name: /^(ws|graphql-ws)$/, layers: ["server"], instead: "other layers know no sockets" },
  {
    name: /^(graphql|graphql-yoga|@pothos\/.+|@graphql-yoga\/.+)$/,
    layers: ["gateway", "server", "graphql"],
    instead: "the domain and what is below it know no GraphQL",
  },
];

/** Parts of the process that have one owner. */
const OWNERS: Readonly<Record<string, { readonly owner: string; readonly instead: string }>> = {
  env: { owner: "src/config/config.ts", instead: "take the value from Config, to whose table a variable can be added" },
  exit: { owner: "src/main.ts", instead: "throw, or let the gateway's close() tell, and main decides" },
};

/** What can be filled later, and is therefore state where it is made empty. */
const COLLECTIONS = new Set(["Map", "Set", "WeakMap", "WeakSet"]);

/**
 * Every rule that a source file breaks, a sentence each; empty where it breaks none.
 *
 * @param path from the project's root, with slashes: `src/bus/redis/redis-bus.ts`.
 */
export function violations(path: string, source: string): string[] {
  const { program, errors } = parseSync(path, source, { lang: "ts" });
  if (errors.length > 0) return [`${path} cannot be parsed: ${errors.map((error) => error.message).join("; ")}`];
  const layer = layerOf(path);
  if (layer === undefined) {
    return [`${path} is in no layer: the layers are ${ORDER}, and src/dev/. Move it into the one that it serves.`];
  }
  const found = [
    ...importsOf(program).flatMap((specifier) => importViolation(path, layer, specifier)),
    ...globalUses(program).flatMap((use) => globalViolation(path, use)),
    ...moduleState(program).map(
      (name) => `${path} keeps state in its module (${name}): make it a field of what createGateway builds.`,
    ),
    ...assignedFunctions(program).map(
      (name) =>
        `${path} assigns a function literal to a property (${name}): V8 keeps it, and all that it refers to, until the next major collection. ` +
        "Assign an object with a method, or a function by its name.",
    ),
  ];
  return [...new Set(found)];
}

/** The files of src that a source file imports, types included. */
export function importedFiles(path: string, source: string): string[] {
  const { program } = parseSync(path, source, { lang: "ts" });
  return importsOf(program)
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => posix.join(posix.dirname(path), specifier));
}

function layerOf(path: string): string | undefined {
  const [root, first = "", ...rest] = path.split("/");
  if (root !== "src") return undefined;
  if (first === "config") return "foundation";
  if (rest.length > 0) return first in HOMES ? first : undefined;
  if (first === "main.ts" || first === "index.ts") return "main";
  return first === "gateway.ts" ? "gateway" : "foundation";
}

function importViolation(path: string, layer: string, specifier: string): string[] {
  if (!specifier.startsWith(".")) return packageViolation(path, layer, specifier);
  const target = posix.join(posix.dirname(path), specifier);
  const targetLayer = layerOf(target);
  if (targetLayer === undefined) {
    return target.startsWith("src/") || target.endsWith(".ts")
      ? [`${path} imports ${target}, which is in no layer of src/: the gateway runs on what is in its layers alone.`]
      : [];
  }
  return mayImport(layer, targetLayer, target) ? [] : [stepViolation(path, layer, target, targetLayer)];
}

function mayImport(from: string, to: string, target: string): boolean {
  if (from === to) return true;
  if (from === "dev") return to === "foundation" || target === "src/upstream/wire.ts";
  if (to === "dev") return from === "gateway" || from === "main";
  return rank(from) < rank(to);
}

function rank(layer: string): number {
  return STEPS.findIndex((step) => step.some((name) => name === layer));
}

function stepViolation(path: string, from: string, target: string, to: string): string {
  const rule =
    from === "dev"
      ? "src/dev/ uses the wire's shapes (src/upstream/wire.ts) and the foundation alone"
      : to === "dev"
        ? "only src/gateway.ts starts the embedded development API"
        : `imports go down only, ${ORDER}`;
  return `${path} imports ${target}: ${rule}. What both need belongs in ${HOMES["foundation"]}, or in the lower of the two; what needs ${target} belongs in ${HOMES[to]}.`;
}

function packageViolation(path: string, layer: string, specifier: string): string[] {
  const name = packageName(specifier);
  return PACKAGES.filter((rule) => rule.name.test(name) && !rule.layers.includes(layer)).map(
    (rule) =>
      `${path} imports ${name}, which lives in ${rule.layers.map((home) => HOMES[home]).join(" and in ")}; ${rule.instead}.`,
  );
}

function packageName(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** The specifier of every import, whether of a value or of a type, static or not, and of every re-export. */
function importsOf(program: ESTree.Program): string[] {
  const specifiers: string[] = [];
  const add = ({ source }: { source: unknown }): void => {
    const value = literal(source);
    if (value !== undefined) specifiers.push(value);
  };
  new Visitor({
    ImportDeclaration: add,
    ExportNamedDeclaration: add,
    ExportAllDeclaration: add,
    ImportExpression: add,
    TSImportType: add,
  }).visit(program);
  return specifiers;
}

function literal(node: unknown): string | undefined {
  if (typeof node !== "object" || node === null || !("value" in node)) return undefined;
  return typeof node.value === "string" ? node.value : undefined;
}

/** Uses of `process.…` and `console.…`, as `[object, member]`; taking members apart or importing them is a use too. */
function globalUses(program: ESTree.Program): [object: string, member: string][] {
  const uses: [string, string][] = [];
  new Visitor({
    MemberExpression({ object, property }) {
      if (object.type === "Identifier") uses.push([object.name, nameOf(property)]);
    },
    VariableDeclarator({ id, init }) {
      if (id.type !== "ObjectPattern" || init?.type !== "Identifier") return;
      for (const property of id.properties) {
        if (property.type === "Property") uses.push([init.name, nameOf(property.key)]);
      }
    },
    ImportDeclaration({ source, specifiers }) {
      const module = source.value.replace(/^node:/, "");
      for (const specifier of specifiers) {
        if (specifier.type === "ImportSpecifier") uses.push([module, nameOf(specifier.imported)]);
      }
    },
  }).visit(program);
  return uses;
}

function nameOf(node: ESTree.Node): string {
  return node.type === "Identifier" ? node.name : (literal(node) ?? "");
}

function globalViolation(path: string, [object, member]: [object: string, member: string]): string[] {
  if (object === "console") return [`${path} uses console.${member}: give it the Log of src/log.ts.`];
  const rule = object === "process" ? OWNERS[member] : undefined;
  if (rule === undefined || rule.owner === path) return [];
  return [`${path} uses process.${member}, which only ${rule.owner} may: ${rule.instead}.`];
}

/** The names of variables at module level that can change: not `const`, or a collection made to be filled. */
function moduleState(program: ESTree.Program): string[] {
  return program.body
    .map((statement) => (statement.type === "ExportNamedDeclaration" ? statement.declaration : statement))
    .filter((statement) => statement?.type === "VariableDeclaration")
    .filter((declaration) => declaration.declare !== true)
    .flatMap(({ kind, declarations }) =>
      declarations.filter(({ init }) => kind === "let" || kind === "var" || isEmptyCollection(init)),
    )
    .map(({ id }) => (id.type === "Identifier" ? id.name : "a pattern"));
}

function isEmptyCollection(init: ESTree.Expression | null): boolean {
  return (
    init?.type === "NewExpression" &&
    init.callee.type === "Identifier" &&
    COLLECTIONS.has(init.callee.name) &&
    init.arguments.length === 0
  );
}

/** The names of properties to which a function literal is assigned, other than where an object or a class is written down. */
function assignedFunctions(program: ESTree.Program): string[] {
  const names: string[] = [];
  new Visitor({
    AssignmentExpression({ left, right }) {
      if (left.type !== "MemberExpression") return;
      if (right.type !== "ArrowFunctionExpression" && right.type !== "FunctionExpression") return;
      names.push(nameOf(left.property));
    },
  }).visit(program);
  return names;
}
