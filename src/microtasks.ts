/** Resolves when what was resumed has done all that it can do in this turn: a tick that is asked for among microtasks comes behind them. */
export function microtasksDone(): Promise<void> {
  return new Promise((resolve) => queueMicrotask(() => process.nextTick(resolve)));
}
