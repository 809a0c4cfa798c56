/** Shares the answer of equal requests that are under way at the same time. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Map<string, Promise<T>>>();

  /** What the flight of `key` under way for `owner` comes to, or what `start` does where there is none. All sharers fail together. */
  join(owner: string, key: string, start: () => Promise<T>): Promise<T> {
    const ofOwner = this.#flights.get(owner) ?? new Map<string, Promise<T>>();
    const underWay = ofOwner.get(key);
    if (underWay !== undefined) return underWay;
    const flight = start().finally(() => this.#forget(owner, ofOwner, key));
    this.#flights.set(owner, ofOwner.set(key, flight));
    return flight;
  }

  /** Lets nobody join the flights of `owner` that are under way: what they bring is from before something that just changed. */
  detach(owner: string): void {
    this.#flights.delete(owner);
  }

  #forget(owner: string, ofOwner: Map<string, Promise<T>>, key: string): void {
    ofOwner.delete(key);
    // After detach() another map may have taken this one's place.
    if (ofOwner.size === 0 && this.#flights.get(owner) === ofOwner) this.#flights.delete(owner);
  }
}
