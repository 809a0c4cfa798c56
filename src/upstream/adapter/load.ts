/** Finds the adapter that the configuration names. */
import { registerHooks } from "node:module";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { isAdapter, type Adapter } from "./adapter.ts";

/** What adapters import, wherever their files are: the directory of one need not be within this package. */
const OWN_NAME = "graphql-chat-gateway/adapter";

/**
 * The default export of a module, from the working directory on.
 *
 * @throws Error where there is no such module, it cannot be loaded, or it exports no adapter.
 */
export async function loadAdapter(path: string): Promise<Adapter> {
  const module = await importWithOwnName(path);
  const adapter: unknown =
    typeof module === "object" && module !== null && "default" in module ? module.default : undefined;
  if (!isAdapter(adapter)) throw new Error(`HTTP_API_ADAPTER: ${path} has no default export made by defineAdapter`);
  return adapter;
}

async function importWithOwnName(path: string): Promise<unknown> {
  // JavaScript in the package that npm installs.
  const url = new URL(`./adapter${extname(import.meta.url)}`, import.meta.url).href;
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      specifier === OWN_NAME ? { url, shortCircuit: true } : next(specifier, context),
  });
  try {
    return await import(pathToFileURL(resolve(path)).href);
  } catch (cause) {
    throw new Error(`HTTP_API_ADAPTER: ${path} cannot be loaded`, { cause });
  } finally {
    hooks.deregister();
  }
}
