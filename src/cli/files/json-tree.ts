/** What stands at the end of a path in JSON, undefined for nothing. A name in snake_case is found in camelCase too. */
export function at(node: unknown, ...path: readonly string[]): unknown {
  let here = node;
  for (const name of path) {
    if (typeof here !== 'object' || here === null || Array.isArray(here)) return undefined;
    const members = here as Readonly<Record<string, unknown>>;
    const other = name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    here = [name, other].filter((one) => Object.hasOwn(members, one)).map((one) => members[one])[0];
  }
  return here;
}

/** The list there; an empty one for anything else. */
export function listAt(node: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = at(node, ...path);
  return Array.isArray(found) ? found : [];
}

/** The text there; empty for anything else. */
export function textAt(node: unknown, ...path: readonly string[]): string {
  const found = at(node, ...path);
  return typeof found === 'string' ? found : '';
}

/** The number there, which protobuf's JSON may write as text; 0 for anything else, as protobuf has it. */
export function numberAt(node: unknown, ...path: readonly string[]): number {
  const found = Number(at(node, ...path) ?? 0);
  return Number.isFinite(found) ? found : 0;
}

export function isTrueAt(node: unknown, ...path: readonly string[]): boolean {
  return at(node, ...path) === true;
}

export function isThere(node: unknown, ...path: readonly string[]): boolean {
  return (at(node, ...path) ?? null) !== null;
}

/** Milliseconds of a protobuf duration (`0.500s`); null where none is there. */
export function durationAt(node: unknown, ...path: readonly string[]): number | null {
  const found = /^(-?[0-9.]+)s$/.exec(textAt(node, ...path));
  return found === null ? null : Number(found[1]) * 1_000;
}

/** The members there, by name. */
export function entriesAt(node: unknown, ...path: readonly string[]): readonly [string, unknown][] {
  const found = at(node, ...path);
  return typeof found === 'object' && found !== null && !Array.isArray(found) ? Object.entries(found) : [];
}
