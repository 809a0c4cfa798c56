/** Why the gateway closes a WebSocket. What a stock client does then is in docs/PROTOCOL.md. */
export const CloseCode = {
  /** The client has no more to ask. */
  normal: 1000,
  /** The client has closed without a word of why, as `close()` without arguments does. It is in no frame. */
  noStatus: 1005,
  /** The connection is gone without a close. It is in no frame. */
  abnormal: 1006,
  /** The gateway is restarting. */
  serviceRestart: 1012,
  /** It cannot be asked who this is, or there is no room for one more. */
  tryAgainLater: 1013,
  badRequest: 4400,
  forbidden: 4403,
  initTimeout: 4408,
  subscriberExists: 4409,
  /** The client goes on far above its rate limit. */
  tooManyRequests: 4429,
  internalError: 4500,
} as const;

const MAX_REASON_BYTES = 123;

/** As much of a close frame's reason as there is room for: RFC 6455, section 5.5. */
export function fitting(reason: string): string {
  let end = Math.min(reason.length, MAX_REASON_BYTES);
  while (Buffer.byteLength(reason.slice(0, end)) > MAX_REASON_BYTES) end--;
  return reason.slice(0, end);
}
