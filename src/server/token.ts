/** Where a client puts its token. */

/** The token of an `Authorization: Bearer …` header. */
export function bearerToken(authorization: unknown): string | undefined {
  if (typeof authorization !== "string") return undefined;
  return /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
}

/** The token of a WebSocket: in `connectionParams`, else in the upgrade request's header. */
export function connectionToken(
  connectionParams: Readonly<Record<string, unknown>> | undefined,
  upgradeAuthorization: string | undefined,
): string | undefined {
  const { token, authorization, Authorization } = connectionParams ?? {};
  if (typeof token === "string" && token !== "") return token;
  return bearerToken(authorization) ?? bearerToken(Authorization) ?? bearerToken(upgradeAuthorization);
}
