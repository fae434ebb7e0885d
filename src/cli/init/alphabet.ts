/** Characters that keys are made of, and how a scheme writes them down. */
interface Alphabet {
  readonly written: string;
  readonly has: RegExp;
  readonly size: number;
}

/** How likely it may be that keys of a larger alphabet happen to have no character outside of a smaller one. */
const chanceMax = 1e-5;

const lower: readonly Alphabet[] = [
  { written: '0-9', has: /^[0-9]*$/, size: 10 },
  { written: '0-9a-f', has: /^[0-9a-f]*$/, size: 16 },
  { written: 'a-z', has: /^[a-z]*$/, size: 26 },
  { written: 'a-z2-7', has: /^[a-z2-7]*$/, size: 32 },
  { written: '0-9a-z', has: /^[0-9a-z]*$/, size: 36 },
];
const upper: readonly Alphabet[] = [
  { written: '0-9A-F', has: /^[0-9A-F]*$/, size: 16 },
  { written: 'A-Z', has: /^[A-Z]*$/, size: 26 },
  { written: 'A-Z2-7', has: /^[A-Z2-7]*$/, size: 32 },
  { written: '0-9A-Z', has: /^[0-9A-Z]*$/, size: 36 },
];
const mixed: readonly Alphabet[] = [
  { written: '1-9A-HJ-NP-Za-km-z', has: /^[1-9A-HJ-NP-Za-km-z]*$/, size: 58 },
  { written: '0-9A-Za-z', has: /^[0-9A-Za-z]*$/, size: 62 },
];

/**
 * The alphabet of keys, as a scheme writes it, from their characters all together: the smallest usual one that they
 * are from, where chance alone is no reason for that. Signs beside letters and digits are added as they were seen;
 * with letters of both cases `-` comes with `_` and `+` with `/`, as in base64.
 */
export function alphabetOf(characters: string): string {
  const plain = characters.replaceAll(/[^0-9A-Za-z]/g, '');
  const isMixed = /[a-z]/.test(plain) && /[A-Z]/.test(plain);
  const usual = isMixed ? mixed : /[A-Z]/.test(plain) ? upper : lower;
  const widest = usual.at(-1)?.size ?? 1;
  const found = usual.find(
    ({ has, size }) => has.test(plain) && (size === widest || (size / widest) ** plain.length < chanceMax),
  );
  const signs = new Set(characters.replaceAll(/[0-9A-Za-z]/g, ''));
  if (isMixed && (signs.has('-') || signs.has('_'))) signs.add('-').add('_');
  if (isMixed && (signs.has('+') || signs.has('/'))) signs.add('+').add('/');
  // A hyphen between two characters would be a range.
  const sorted = [...signs].toSorted((one, other) => Number(one === '-') - Number(other === '-'));
  return (found?.written ?? '') + sorted.join('');
}
