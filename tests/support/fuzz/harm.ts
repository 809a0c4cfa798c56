/** What no input may bring about. */

const FORBIDDEN = "INTERNAL_SERVER_ERROR";

export class Harm extends Error {
  override readonly name = "Harm";
}

/** The harm that an answer tells of. Undefined where it is not one that only a defect gives. */
export function harmIn(answer: string): Harm | undefined {
  const at = answer.indexOf(FORBIDDEN);
  return at === -1 ? undefined : new Harm(`the gateway answered ${answer.slice(Math.max(0, at - 500), at + 500)}`);
}
