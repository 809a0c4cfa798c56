/** Longer than any step of a test takes, however busy the machine is. */
export const LONG_MS = 60_000;

const LONG = String(LONG_MS);

/** Variables of gateways in tests: no deadline that a slow one might miss, unless a test is about it. */
export const LONG_DEADLINES = {
  CONNECTION_INIT_TIMEOUT: LONG,
  REQUEST_TIMEOUT: LONG,
  HTTP_API_TIMEOUT: LONG,
  TYPING_TIMEOUT: LONG,
  HEARTBEAT_INTERVAL: LONG,
  SESSION_RECHECK_INTERVAL: "600000",
};
