/** Circles of files that import each other, directly or through others. */

/**
 * @param imports the files that each file imports.
 * @returns each circle's files, sorted. Tarjan's strongly connected components.
 */
export function circlesOf(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const circles: string[][] = [];
  const order = new Map<string, number>();
  const stack: string[] = [];

  function visit(file: string): number {
    const number = order.size;
    order.set(file, number);
    stack.push(file);
    let low = number;
    for (const imported of imports.get(file) ?? []) {
      if (!order.has(imported)) low = Math.min(low, visit(imported));
      else if (stack.includes(imported)) low = Math.min(low, order.get(imported) ?? low);
    }
    if (low === number) {
      const component = stack.splice(stack.indexOf(file));
      if (component.length > 1 || imports.get(file)?.includes(file) === true) circles.push(component.toSorted());
    }
    return low;
  }

  for (const file of imports.keys()) if (!order.has(file)) visit(file);
  return circles;
}
