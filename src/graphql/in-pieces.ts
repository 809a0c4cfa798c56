/** Long lists are executed in pieces: the fields of thousands of objects at once would keep the event loop for long. */
import { ITEMS_PER_PIECE } from "../fair-turns.ts";
import type { Context } from "./context.ts";

/** The items of a list as a resolver returns them: those of a long one become available piece by piece, each in a turn of the caller's. */
export function inPieces<T>(items: readonly T[], context: Pick<Context, "caller" | "services">): (T | Promise<T>)[] {
  if (items.length <= ITEMS_PER_PIECE) return [...items];
  const resolvers: (() => void)[] = [];
  const results = items.map(
    (item) =>
      new Promise<T>((resolve) => {
        resolvers.push(() => resolve(item));
      }),
  );
  void release(resolvers, context);
  return results;
}

async function release(
  resolvers: readonly (() => void)[],
  { caller, services }: Pick<Context, "caller" | "services">,
): Promise<void> {
  for (const [index, resolve] of resolvers.entries()) {
    if (index % ITEMS_PER_PIECE === 0) await services.turns.goOn(caller.userId ?? "");
    resolve();
  }
}
