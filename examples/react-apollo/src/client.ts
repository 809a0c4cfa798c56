import { ApolloClient, type OperationVariables, type TypedDocumentNode } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { skipToken, useSubscription } from "@apollo/client/react";
import { useEffect } from "react";
import { connect } from "shared/connection.ts";
import { cache } from "./cache.ts";

export const connection = connect();

export const client = new ApolloClient({ link: new GraphQLWsLink(connection.client), cache });

connection.loaders.add(() => client.refetchQueries({ include: ["Messages"] }).catch(() => undefined));

/** Subscribes, and again when the gateway has ended the subscription: with CURSOR_EXPIRED, or because the REST API was down. */
export function useLive<Data, Variables extends OperationVariables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables | undefined,
  onData?: (data: Data) => void,
): void {
  const { error, restart } = useSubscription(
    document,
    variables ? { variables, onData: ({ data }) => data.data && onData?.(data.data as Data) } : skipToken,
  );
  useEffect(() => {
    const timer = error && setTimeout(() => void connection.reload().then(restart), 500);
    return () => clearTimeout(timer);
  }, [error, restart]);
}
