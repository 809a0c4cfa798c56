/** Two people in one page, each with a connection of their own. */
import { StrictMode, type ReactElement } from "react";
import { createRoot } from "react-dom/client";
import { Pane } from "./pane.tsx";
import { createPerson, type Person } from "./person.ts";

function App({ people }: { readonly people: readonly Person[] }): ReactElement {
  return (
    <StrictMode>
      <h1>graphql-chat-gateway: a demo</h1>
      <div className="panes">
        {people.map((person) => (
          <Pane key={person.id} person={person} />
        ))}
      </div>
    </StrictMode>
  );
}

const root = document.querySelector("main");
if (root) createRoot(root).render(<App people={await Promise.all([createPerson(0), createPerson(1)])} />);
