/** An operation of one's own, over the kit's connection, with types from codegen. */
import { useEffect, useState, type ReactElement } from "react";
import { chatClient } from "./chat-client.ts";
import { graphql, unmask, type FragmentType } from "./generated/index.ts";
import type { MeQuery } from "./generated/graphql.ts";

const ME = graphql(`query Me { me { ...Name } }`);

const NAME = graphql(`fragment Name on Me { name email }`);

export function Profile(): ReactElement {
  const [me, setMe] = useState<MeQuery["me"]>();
  useEffect(() => {
    const ignore = (): void => undefined;
    const next = ({ data }: { readonly data?: MeQuery | null }): void => setMe(data?.me);
    return chatClient.graphql.subscribe<MeQuery>({ query: ME.toString() }, { next, error: ignore, complete: ignore });
  }, []);
  return <span>{me && <Name me={me} />}</span>;
}

function Name({ me }: { readonly me: FragmentType<typeof NAME> }): ReactElement {
  const { name, email } = unmask(NAME, me);
  return <span title={email}>{name}</span>;
}
