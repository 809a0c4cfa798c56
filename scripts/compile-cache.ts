/** What a Node.js process says of its modules and V8's compile cache where `NODE_DEBUG_NATIVE=COMPILE_CACHE` is set. */

/** What Node.js has to be started with for {@link readCompileCache}. */
export const COMPILE_CACHE_TRACE = { NODE_DEBUG_NATIVE: "COMPILE_CACHE" } as const;

export interface LoadedModules {
  /** Paths of all modules that the process loaded after the cache was enabled. Node.js's own are not among them. */
  readonly loaded: readonly string[];
  /** Those that were compiled, since the cache did not have them or had other ones. */
  readonly compiled: readonly string[];
}

/** @param errors what the process wrote to standard error. */
export function readCompileCache(errors: string): LoadedModules {
  const loaded = new Map<string, boolean>();
  for (const [, path = "", verdict] of errors.matchAll(/V8 code cache for \w+ (\S+) was (\w+)/g)) {
    const file = path.replace(/^file:\/\//, "");
    // One that is loaded again is found where the first time has put it.
    if (!loaded.has(file)) loaded.set(file, verdict === "accepted");
  }
  const compiled = [...loaded].filter(([, isAccepted]) => !isAccepted).map(([path]) => path);
  return { loaded: [...loaded.keys()], compiled };
}
