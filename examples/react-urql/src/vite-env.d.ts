interface ImportMetaEnv {
  /** The gateway's endpoint; http://localhost:8080/graphql where absent. */
  readonly VITE_GATEWAY_URL?: string;
}
