import type { AST } from '@eslint-community/regexpp';
import type { Atom } from './automaton.ts';

/** A character for others that read alike, and the atoms by their indexes that read it. */
export interface Character {
  readonly text: string;
  readonly readBy: ReadonlySet<number>;
}

const codePointMax = 0x10ffff;
/** Characters that a person can read in an example, letters first. */
const printable = [...'aA0', ...Array.from({ length: 94 }, (_, at) => String.fromCharCode(0x21 + at))];

/**
 * One character for each set of atoms that read the same one, but not for a set within another: whatever can be read
 * with fewer atoms can be read in no more ways.
 */
export function charactersOf(atoms: readonly Atom[]): Character[] {
  const matchers = atoms.map(({ raw }) => new RegExp(`^${raw}$`, 'u'));
  const found = new Map<string, Character>();
  const bounds = atoms.flatMap(boundsOf).filter((code) => code <= codePointMax);
  for (const text of new Set([...printable, '\0', ...bounds.map((code) => String.fromCodePoint(code))])) {
    const readBy = matchers.flatMap((matcher, index) => (matcher.test(text) ? [index] : []));
    const key = readBy.join();
    if (readBy.length > 0 && !found.has(key)) found.set(key, { text, readBy: new Set(readBy) });
  }
  const all = [...found.values()];
  return all.filter(
    ({ readBy }) => !all.some((other) => other.readBy.size > readBy.size && readBy.isSubsetOf(other.readBy)),
  );
}

/** The code points at which what an atom reads begins or ends. */
function boundsOf(atom: Atom | AST.CharacterClassElement): number[] {
  switch (atom.type) {
    case 'Character':
      return [atom.value, atom.value + 1];
    case 'CharacterClassRange':
      return [atom.min.value, atom.max.value + 1];
    case 'CharacterClass':
      return atom.elements.flatMap(boundsOf);
    default:
      return /^\\p/i.test(atom.raw) ? boundsOfProperty(atom.raw) : escapeBounds;
  }
}

/** Where `.`, `\d`, `\w` and `\s` begin and end. */
const escapeBounds = [
  ...[0x09, 0x0a, 0x0b, 0x0d, 0x0e, 0x20, 0x21, 0x30, 0x3a, 0x41, 0x5b, 0x5f, 0x60, 0x61, 0x7b, 0xa0, 0xa1],
  ...[0x1680, 0x1681, 0x2000, 0x200b, 0x2028, 0x202a, 0x202f, 0x2030, 0x205f, 0x2060, 0x3000, 0x3001],
  ...[0xfeff, 0xff00],
];

/** Of `\p{L}` and its like, which only the engine knows: it is asked for every code point. */
function boundsOfProperty(raw: string): number[] {
  const matcher = new RegExp(`^${raw}$`, 'u');
  const bounds: number[] = [];
  let was = false;
  for (let code = 0; code <= codePointMax; code++) {
    const is = matcher.test(String.fromCodePoint(code));
    if (is !== was) bounds.push(code);
    was = is;
  }
  return bounds;
}
