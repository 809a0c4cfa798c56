/** Why somebody is not, or no longer, authenticated. */
import { GatewayError, type ErrorDetails } from "../errors.ts";

/** Clients read it as the reason of the close code 4403. */
export type UnauthenticatedReason = "Token missing" | "Token refused" | "Token expired" | "Signed out";

/** For operations whose session has ended with that reason. */
const MESSAGES: Readonly<Partial<Record<UnauthenticatedReason, string>>> = {
  "Token expired": "The token has expired.",
  "Signed out": "You have been signed out.",
};

/** An UNAUTHENTICATED error that says why. */
export class Unauthenticated extends GatewayError {
  readonly reason: UnauthenticatedReason;

  constructor(reason: UnauthenticatedReason, details: ErrorDetails = {}) {
    const message = MESSAGES[reason];
    super("UNAUTHENTICATED", { ...(message === undefined ? {} : { message }), ...details });
    this.reason = reason;
  }
}
