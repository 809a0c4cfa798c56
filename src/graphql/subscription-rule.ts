import {
  GraphQLError,
  Kind,
  OperationTypeNode,
  type ASTVisitor,
  type DirectiveNode,
  type SelectionSetNode,
  type ValidationContext,
} from "graphql";

const CONDITIONAL: ReadonlySet<string> = new Set(["skip", "include"]);

/**
 * A subscription has one root field, whatever its variables are: `@skip` and `@include` may decide about fields below it alone. The
 * specification has this rule since 2025; graphql-js 16 has not.
 */
export function unconditionalSubscriptionRule(context: ValidationContext): ASTVisitor {
  return {
    OperationDefinition({ operation, selectionSet }) {
      if (operation !== OperationTypeNode.SUBSCRIPTION) return;
      for (const directive of rootDirectives(context, selectionSet, new Set())) {
        if (!CONDITIONAL.has(directive.name.value)) continue;
        const message = `@${directive.name.value} cannot decide whether a subscription has its field.`;
        context.reportError(new GraphQLError(message, { nodes: directive }));
      }
    },
  };
}

/** The directives of an operation's root fields, and of the fragments that these are in. */
function rootDirectives(
  context: ValidationContext,
  { selections }: SelectionSetNode,
  visited: Set<string>,
): readonly DirectiveNode[] {
  return selections.flatMap((selection) => [
    ...(selection.directives ?? []),
    ...rootDirectivesOf(context, selection, visited),
  ]);
}

function rootDirectivesOf(
  context: ValidationContext,
  selection: SelectionSetNode["selections"][number],
  visited: Set<string>,
): readonly DirectiveNode[] {
  if (selection.kind === Kind.FIELD) return [];
  if (selection.kind === Kind.INLINE_FRAGMENT) return rootDirectives(context, selection.selectionSet, visited);
  const name = selection.name.value;
  if (visited.has(name)) return [];
  visited.add(name);
  const fragment = context.getFragment(name);
  return fragment ? rootDirectives(context, fragment.selectionSet, visited) : [];
}
