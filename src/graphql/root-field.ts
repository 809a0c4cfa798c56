import { Kind, type DocumentNode, type OperationDefinitionNode, type SelectionSetNode } from "graphql";

/** The name of the first field that a valid operation selects, through whatever fragments. Undefined where there is none. */
export function rootFieldName(document: DocumentNode, { selectionSet }: OperationDefinitionNode): string | undefined {
  return firstField(document, selectionSet);
}

/** A valid document's fragments do not contain themselves. */
function firstField(document: DocumentNode, { selections }: SelectionSetNode): string | undefined {
  for (const selection of selections) {
    if (selection.kind === Kind.FIELD) return selection.name.value;
    const fragment =
      selection.kind === Kind.INLINE_FRAGMENT
        ? selection
        : document.definitions.find(
            (definition) =>
              definition.kind === Kind.FRAGMENT_DEFINITION && definition.name.value === selection.name.value,
          );
    const name = fragment && "selectionSet" in fragment ? firstField(document, fragment.selectionSet) : undefined;
    if (name !== undefined) return name;
  }
  return undefined;
}
