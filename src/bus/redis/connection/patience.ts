/** How long Redis is waited for. */
import { ANSWER_TIMEOUT_MS } from "./clients.ts";

/** After so long without an answer of one node a cluster's client is given up by us, whatever it still tries. */
const PATIENCE_MS = ANSWER_TIMEOUT_MS + 200;

class Silence extends Error {
  override readonly name = "Silence";
}

/** The answer; rejects where it takes too long. */
export async function withinTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Silence("no answer in time")), PATIENCE_MS);
  });
  try {
    return await Promise.race([answer, silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** No answer, as opposed to one that refuses; a replica's refusal counts, since its master is elsewhere. */
export function isSilence(error: unknown): boolean {
  return error instanceof Error && (error instanceof Silence || /^Command timed out|^READONLY/.test(error.message));
}
