/**
 * The factors of a linear equation that fit its measured values best: `rows[i] · factors ≈ values[i]`. Throws where the rows do not
 * determine them.
 */
export function leastSquares(rows: readonly (readonly number[])[], values: readonly number[]): readonly number[] {
  const unknowns = rows[0]?.length ?? 0;
  // The normal equations, each with its right side as the last column.
  const equations = Array.from({ length: unknowns }, (_, i) => [
    ...Array.from({ length: unknowns }, (__, j) => sum(rows.map((row) => at(row, i) * at(row, j)))),
    sum(rows.map((row, index) => at(row, i) * (values[index] ?? 0))),
  ]);
  for (let column = 0; column < unknowns; column++) {
    const rest = equations.slice(column).toSorted((a, b) => Math.abs(at(b, column)) - Math.abs(at(a, column)));
    equations.splice(column, rest.length, ...rest);
    const pivot = equations[column] ?? [];
    if (Math.abs(at(pivot, column)) < 1e-9) throw new Error("the measured points do not determine the costs");
    for (const [index, equation] of equations.entries()) {
      if (index === column) continue;
      const factor = at(equation, column) / at(pivot, column);
      equations[index] = equation.map((value, each) => value - factor * at(pivot, each));
    }
  }
  return equations.map((equation, index) => at(equation, unknowns) / at(equation, index));
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? 0;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/**
 * As {@link leastSquares}, of costs: by their relative differences, so that small values count as much as large ones, and what would come out
 * below 0 is within the noise, and taken as 0.
 */
export function leastCosts(rows: readonly (readonly number[])[], values: readonly number[]): readonly number[] {
  const kept = (rows[0] ?? []).map((_, column) => column);
  for (;;) {
    const factors = leastSquares(
      rows.map((row, index) => kept.map((column) => (row[column] ?? 0) / (values[index] ?? 1))),
      values.map(() => 1),
    );
    const lowest = Math.min(...factors);
    if (lowest >= 0) return (rows[0] ?? []).map((_, column) => factors[kept.indexOf(column)] ?? 0);
    kept.splice(factors.indexOf(lowest), 1);
  }
}
