/** A number as people read it, with so many digits after the point. */
export function numeral(value: number, digits: number): string {
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
