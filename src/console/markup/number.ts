const grouped = new Intl.NumberFormat('en');

/** A whole number, its thousands grouped: 12,345. */
export function numberText(value: number): string {
  return grouped.format(value);
}
