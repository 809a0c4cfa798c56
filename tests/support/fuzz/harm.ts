/** What no input may bring about. */

const FORBIDDEN = "INTERNAL_SERVER_ERROR";

export class Harm extends Error {
  override readonly name = "Harm";
}

/** The harm that an answer tells of. Undefined where it is not one that only a defect gives. */
export function harmIn(answer: string): Harm | undefined {
  return answer.includes(FORBIDDEN) ? new Harm(`the gateway answered ${answer.slice(0, 1000)}`) : undefined;
}
