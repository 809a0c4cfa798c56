/** Longer than any step of a test takes, however busy the machine is. */
export const LONG_MS = 60_000;

/** Variables of gateways in tests: no deadline that a slow one might miss, unless a test is about it. */
export const LONG_DEADLINES = {
  CONNECTION_INIT_TIMEOUT: `${LONG_MS}`,
  REQUEST_TIMEOUT: `${LONG_MS}`,
  HTTP_API_TIMEOUT: `${LONG_MS}`,
  TYPING_TIMEOUT: `${LONG_MS}`,
  HEARTBEAT_INTERVAL: `${LONG_MS}`,
  SESSION_RECHECK_INTERVAL: "600000",
};
