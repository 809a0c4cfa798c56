/** Unique enough for an operation or a message; `crypto.randomUUID` exists on secure pages alone. */
export function uniqueId(): string {
  return [1, 2].map(() => Math.random().toString(36).slice(2).padEnd(12, "0")).join("");
}
