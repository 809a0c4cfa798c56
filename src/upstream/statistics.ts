/** What is counted of requests to the REST API. */
import { Counts, Durations } from "../measures.ts";
import type { Outcome } from "./outcome.ts";

const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export class UpstreamStatistics {
  /** Requests that were sent again, by route. */
  readonly retries = new Counts();
  /** How long attempts took, by route, then by outcome. */
  readonly requests = new Map<string, Map<string, Durations>>();

  /**
   * An attempt has ended.
   *
   * @param route without an id: the number of routes is bounded.
   * @param startedAt as `performance.now()` tells it.
   */
  note(route: string, outcome: Outcome, startedAt: number): void {
    let ofRoute = this.requests.get(route);
    if (!ofRoute) this.requests.set(route, (ofRoute = new Map<string, Durations>()));
    const name = nameOf(outcome);
    let durations = ofRoute.get(name);
    if (!durations) ofRoute.set(name, (durations = new Durations(BOUNDS)));
    durations.observeSince(startedAt);
  }
}

/** The class of the status that was answered, or how the attempt failed. */
function nameOf(outcome: Outcome): string {
  return outcome.kind === "answered" ? `${Math.floor(outcome.status / 100)}xx` : outcome.kind.replace("-", "_");
}
