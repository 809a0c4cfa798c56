/** Processes that a script starts and gives orders: each order has one answer. */
import type { ChildProcess } from "node:child_process";

/** Resolves to the answer. Rejects where the process ends without one. */
export async function ask<Report>(child: ChildProcess, order: object): Promise<Report> {
  const { promise, resolve, reject } = Promise.withResolvers<Report>();
  const fail = (): void => reject(new Error("a child process ended"));
  child.once("exit", fail).once("message", (report: Report) => resolve(report));
  child.send(order);
  try {
    return await promise;
  } finally {
    child.off("exit", fail);
  }
}
