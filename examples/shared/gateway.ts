/** Where the gateway is, and who is signed in. */

declare global {
  interface ImportMetaEnv {
    /** The gateway's endpoint; http://localhost:8080/graphql where absent. */
    readonly VITE_GATEWAY_URL?: string;
    /** Answers with a token as plain text, or with an error where nobody is signed in. */
    readonly VITE_TOKEN_URL?: string;
  }
}

export const gatewayUrl = new URL(import.meta.env.VITE_GATEWAY_URL ?? "http://localhost:8080/graphql", location.href)
  .href;

/**
 * The viewer's token, asked at every connect; undefined where nobody is signed in. Without `VITE_TOKEN_URL` it is a development token
 * of the embedded API, chosen by `?token=`. Rejects where there is no answer.
 */
export async function getToken(): Promise<string | undefined> {
  const url = import.meta.env.VITE_TOKEN_URL;
  if (!url) return new URLSearchParams(location.search).get("token") ?? "alice-token";
  const response = await fetch(url + location.search);
  return response.ok ? response.text() : undefined;
}
