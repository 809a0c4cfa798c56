/** Which instance of which version this is: in each line of the log, in metrics, and for the other instances. */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { packageVersion } from "./version.ts";

export interface Instance {
  /** Of this start alone: the host's name, which a container's is, and a random part. */
  readonly name: string;
  /** The gateway's. */
  readonly version: string;
}

export function createInstance(): Instance {
  return { name: `${hostname()}-${randomBytes(4).toString("hex")}`, version: packageVersion() };
}
