/** The version of this package. */
import { createRequire } from "node:module";

/** As package.json says, for the sources and for the built package alike. */
export function packageVersion(): string {
  const manifest: unknown = createRequire(import.meta.url)("graphql-chat-gateway/package.json");
  return typeof manifest === "object" && manifest !== null && "version" in manifest ? String(manifest.version) : "";
}
