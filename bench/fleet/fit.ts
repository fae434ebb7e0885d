/** What grows with a fleet, and what with its square. */
export interface Fit {
  readonly linear: number;
  readonly square: number;
  /** The largest part by which a measured value is off. */
  readonly error: number;
}

/**
 * Fits `linear · n + square · n²` to what was measured, each value by its relative error, neither part below zero. Of one
 * size nothing can be told but the linear part.
 */
export function fitFleet(points: readonly { readonly n: number; readonly value: number }[]): Fit {
  // Divided by the value: (linear · n + square · n²) / value is to be 1.
  const rows = points.map(({ n, value }) => [n / value, (n * n) / value] as const);
  const sum = (of: (row: readonly [number, number]) => number) =>
    rows.reduce((total, row) => total + of(row), 0);
  const [aa, ab, bb] = [sum(([a]) => a * a), sum(([a, b]) => a * b), sum(([, b]) => b * b)];
  const [a1, b1] = [sum(([a]) => a), sum(([, b]) => b)];
  const determinant = aa * bb - ab * ab;
  let [linear, square] =
    points.length < 2 ? [a1 / aa, 0] : [(a1 * bb - b1 * ab) / determinant, (aa * b1 - ab * a1) / determinant];
  if (square < 0) [linear, square] = [a1 / aa, 0];
  if (linear < 0) [linear, square] = [0, b1 / bb];
  const off = points.map(({ n, value }) => Math.abs(linear * n + square * n * n - value) / value);
  return { linear, square, error: Math.max(...off) };
}

export function fittedAt({ linear, square }: Fit, n: number): number {
  return linear * n + square * n * n;
}
