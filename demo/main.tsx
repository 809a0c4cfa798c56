/** Two people in one page, each with a connection of their own; `?user=0` shows one of them. */
import { StrictMode, useState, type ReactElement } from "react";
import { createRoot } from "react-dom/client";
import { Pane } from "./pane.tsx";
import { createPerson, type Person } from "./person.ts";

function App({ first }: { readonly first: readonly Person[] }): ReactElement {
  const [people, setPeople] = useState(first);
  const signIn = async ({ user, client }: Person): Promise<void> => {
    const signedIn = await createPerson(user);
    await client.close();
    setPeople((before) => before.map((person) => (person.user === user ? signedIn : person)));
  };
  return (
    <StrictMode>
      <h1>graphql-chat-gateway: a demo</h1>
      <p className="intro">
        Each person has a connection of their own. Disturb one, write as the other: nothing is lost, and nothing comes
        twice. <a href="demo">Both</a> · <a href="demo?user=0">Alice alone</a> · <a href="demo?user=1">Bob alone</a> ·{" "}
        <a href="graphql">GraphiQL</a>
      </p>
      <div className="panes">
        {people.map((person) => (
          <Pane key={person.id} person={person} onSignIn={() => signIn(person)} />
        ))}
      </div>
    </StrictMode>
  );
}

const root = document.querySelector("main");
const users = new URL(location.href).searchParams.getAll("user").map(Number);
const shown = users.length > 0 ? users : [0, 1];
if (root) createRoot(root).render(<App first={await Promise.all(shown.map((user) => createPerson(user)))} />);
