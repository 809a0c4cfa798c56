/** Which instance of which version this is: in each line of the log, in metrics, and for the other instances. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { z } from "zod";

export interface Instance {
  /** Of this start alone: the host's name, which a container's is, and a random part. */
  readonly name: string;
  /** The gateway's. */
  readonly version: string;
}

const manifest = z.object({ version: z.string() });

export function createInstance(): Instance {
  const { version } = manifest.parse(JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")));
  return { name: `${hostname()}-${randomBytes(4).toString("hex")}`, version };
}
