/** The doctor at an embedded development API, and how a test reads what it says. */
import { runDoctor, type Diagnosis } from "../../scripts/doctor/doctor.ts";
import { startDevApi, type DevApi, type DevApiOptions } from "../../src/dev/api.ts";
import type { Reply } from "../../src/dev/faults.ts";
import { DEMO_CHATS } from "../../src/dev/seed.ts";

/** Where each endpoint is reached when the doctor examines Alice's first chat; of a message's id any will do. */
const PATHS: Readonly<Record<string, string | RegExp>> = {
  "GET /auth/profile": "/auth/profile",
  "GET /chats": "/chats",
  "GET /chats/:chatId": `/chats/${DEMO_CHATS.shop}`,
  "GET /chats/:chatId/messages": `/chats/${DEMO_CHATS.shop}/messages`,
  "POST /chats/:chatId/messages": `/chats/${DEMO_CHATS.shop}/messages`,
  "PUT /chats/:chatId/messages/:messageId/read": /\/messages\/[^/]+\/read$/,
  "PUT /chats/:chatId/read-all": `/chats/${DEMO_CHATS.shop}/read-all`,
};

export const ENDPOINTS = Object.keys(PATHS);

/** What a fault is aimed at. */
export function aimAt(endpoint: string): { readonly method: string; readonly path: string | RegExp } {
  const path = PATHS[endpoint];
  if (path === undefined) throw new Error(`there is no ${endpoint}`);
  return { method: endpoint.split(" ")[0] ?? "", path };
}

/** A development API that keeps nothing. */
export function startApi(options: Omit<DevApiOptions, "file"> = {}): Promise<DevApi> {
  return startDevApi({ file: ":memory:", ...options });
}

/** As Alice. */
export function diagnose(api: Pick<DevApi, "url">, ...args: readonly string[]): Promise<Diagnosis> {
  return runDoctor(["--url", api.url, "--token", "alice-token", ...args]);
}

/** The lines that begin with one of the three marks. */
export function lines({ output }: Diagnosis, mark: "✓" | "✗" | "–"): readonly string[] {
  return output.split("\n").filter((line) => line.startsWith(mark));
}

/** The endpoints of which something is wrong. */
export function accused(diagnosis: Diagnosis): readonly string[] {
  const named = lines(diagnosis, "✗").map((line) => line.slice(2).split(": ")[0] ?? "");
  return [...new Set(named)];
}

/** A reply, if it is a success, with another body. */
export function changeBody(change: (body: Record<string, unknown>) => object): (due: Reply) => Reply {
  return (due) => {
    if ((due.status ?? 200) > 299 || typeof due.body !== "object") return due;
    return { ...due, body: change(structuredClone(due.body) as Record<string, unknown>) };
  };
}
