/** What fields cost beside their own one, for the limit on an operation. A request to the REST API is what there is to save. */

/** A field that asks the REST API once. */
export const REQUEST_COST = 500;

/** A field that reads a chat's history: of unknown length, a request a page. */
export const HISTORY_COST = 1000;
