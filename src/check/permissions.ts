/** Past so many permissions on a key, a set of them is made: up to then to look through them is faster. */
const listedMax = 8;
/** What separates the permissions of which a route asks for one. */
const or = '|';

/** What is held beyond what is written out. */
interface Wide {
  /** The permissions themselves, where they are many. */
  readonly written: ReadonlySet<string> | null;
  readonly hasAll: boolean;
  /** What permissions begin with that are covered, as `read:` of `read:*`. */
  readonly beginnings: readonly string[];
}

/** For as long as their lists live, which must not change. */
const wideOf = new WeakMap<readonly string[], Wide>();
const alternativesOf = new WeakMap<readonly string[], readonly (readonly string[])[]>();

/**
 * Whether everything that a route asks for is held. `read:*` covers what begins with `read:`, and `*` covers all; a
 * route's `a|b` asks for one of the two, and an empty alternative is held by nobody.
 */
export function holdsAll(held: readonly string[], asked: readonly string[]): boolean {
  if (asked.length === 0) return true;
  if (held.length === 0) return false;
  if (held.length > listedMax) return coversAll(held, asked);
  for (const permission of asked) if (!held.includes(permission)) return coversAll(held, asked);
  return true;
}

function coversAll(held: readonly string[], asked: readonly string[]): boolean {
  const wide = wideOf.get(held) ?? readHeld(held);
  const alternatives = alternativesOf.get(asked) ?? readAsked(asked);
  // One that is written out on a key of before there were alternatives is held as it stands.
  return asked.every(
    (permission, place) =>
      isWritten(permission, held, wide) ||
      (alternatives[place] ?? [permission]).some((name) => isCovered(name, held, wide)),
  );
}

function isWritten(name: string, held: readonly string[], { written }: Wide): boolean {
  return written?.has(name) ?? held.includes(name);
}

function isCovered(name: string, held: readonly string[], wide: Wide): boolean {
  if (name === '') return false;
  if (wide.hasAll || isWritten(name, held, wide)) return true;
  return wide.beginnings.some((beginning) => name.startsWith(beginning));
}

function readHeld(held: readonly string[]): Wide {
  const wide = {
    written: held.length > listedMax ? new Set(held) : null,
    hasAll: held.includes('*'),
    beginnings: held.flatMap((permission) => (permission.endsWith(':*') ? [permission.slice(0, -1)] : [])),
  };
  wideOf.set(held, wide);
  return wide;
}

function readAsked(asked: readonly string[]): readonly (readonly string[])[] {
  const alternatives = asked.map((permission) => permission.split(or));
  alternativesOf.set(asked, alternatives);
  return alternatives;
}
