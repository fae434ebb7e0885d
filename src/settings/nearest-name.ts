/** What to add to the message about a name that does not exist: the one that was meant, else all there are. */
export function suggestion(wrong: string, known: readonly string[]): string {
  if (known.length === 0) return '';
  const nearest = nearestName(wrong, known);
  return nearest === null ? `; there are: ${known.join(', ')}` : `; did you mean ${nearest}?`;
}

/** The one of the known names that was meant, by its letters; null when none is near. */
export function nearestName(wrong: string, known: readonly string[]): string | null {
  const near = known.map((name) => ({ name, distance: editDistance(wrong, name) }));
  const [nearest] = near.toSorted((one, other) => one.distance - other.distance);
  return nearest !== undefined && nearest.distance <= Math.max(2, wrong.length / 3) ? nearest.name : null;
}

/** Levenshtein's distance. */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let at = 1; at <= one.length; at++) {
    const next = [at];
    for (let to = 1; to <= other.length; to++) {
      const swap = (row[to - 1] ?? 0) + (one[at - 1] === other[to - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[to] ?? 0) + 1, (next[to - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
