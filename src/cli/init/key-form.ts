import { crc32Checksum } from '../../schemes/checksum.ts';
import { alphabetOf } from './alphabet.ts';

/** How keys look, as far as examples tell. */
export interface KeyForm {
  /** What keys begin with → the environment that they are valid in; '' for keys without a prefix. */
  readonly prefixes: Readonly<Record<string, string>>;
  /** As a scheme writes it: `0-9A-Za-z`. */
  readonly alphabet: string;
  /** Of what stands between prefix and checksum. */
  readonly lengthMin: number;
  readonly lengthMax: number;
  /** Whether each example ends with the CRC-32 of what stands before it. */
  readonly hasChecksum: boolean;
}

/** What is wrong with examples, for the one who gave them: it quotes none of them. */
export class ExampleError extends Error {}

const [bodyMin, bareMin, keyMax] = [8, 16, 512];
/** Lengths that differ by more are of different kinds of keys. */
const lengthRatioMax = 1.25;
const prefixMax = 64;

/** Reads the form of keys off examples, each a whole key. Throws an {@link ExampleError} where they have none in common. */
export function keyFormOf(given: readonly string[]): KeyForm {
  const examples = [...new Set(given)];
  if (examples.length === 0) throw new ExampleError('there is no example key');
  examples.forEach(refuseOthers);
  const prefixes = prefixesOf(examples);
  const hasChecksum = examples.every((example) => endsInChecksum(example));
  const bodies = examples.map((example) => bodyOf(example, prefixes, hasChecksum));
  const lengths = bodies.map(({ length }) => length);
  const [lengthMin, lengthMax] = [Math.min(...lengths), Math.max(...lengths)];
  if (lengthMax > lengthMin * lengthRatioMax) {
    throw new ExampleError(
      `the examples do not fit together: behind the prefix one has ${lengthMin} characters and another ${lengthMax}`,
    );
  }
  const least = '' in prefixes ? bareMin : bodyMin;
  if (lengthMin < least) {
    throw new ExampleError(
      `an example has ${lengthMin} characters${'' in prefixes ? '' : ' behind its prefix'}: fewer than ${least} could be any word`,
    );
  }
  return { prefixes, alphabet: alphabetOf(bodies.join('')), lengthMin, lengthMax, hasChecksum };
}

function refuseOthers(example: string): void {
  if (!/^[\x21-\x7e]+$/.test(example)) {
    throw new ExampleError(
      'a line is not a key: it has spaces or characters beyond ASCII; write the key alone, one a line',
    );
  }
  if (/[,;"]/.test(example)) {
    throw new ExampleError(
      'an example has a comma, a semicolon or a quote, which end a credential in a header',
    );
  }
  if (example.length > keyMax) throw new ExampleError(`an example is longer than ${keyMax} characters`);
  if (/^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(example)) {
    throw new ExampleError(
      'an example is a JSON Web Token, which is verified by its signature: let Envoy do that (jwt_authn)',
    );
  }
}

function endsInChecksum(example: string): boolean {
  const end = example.length - crc32Checksum.length;
  return end > 0 && crc32Checksum.matches(example.slice(0, end), example.slice(end));
}

function bodyOf(example: string, prefixes: KeyForm['prefixes'], hasChecksum: boolean): string {
  const prefix = Object.keys(prefixes)
    .toSorted((one, other) => other.length - one.length)
    .find((text) => example.startsWith(text));
  return example.slice(prefix?.length ?? 0, hasChecksum ? -crc32Checksum.length : undefined);
}

/** Each prefix with its environment: one prefix for each. */
function prefixesOf(examples: readonly string[]): Record<string, string> {
  const isMarked = (example: string) => environmentPrefix(example) !== null;
  const marked = examples.flatMap((example) => environmentPrefix(example) ?? []);
  const others = examples.filter((example) => !isMarked(example));
  const found = new Set([...marked, ...(others.length === 0 ? [] : [commonPrefix(others)])]);
  const prefixes: Record<string, string> = {};
  for (const prefix of found) {
    const environment = environmentIn(prefix);
    if (found.has('') && found.size > 1) {
      throw new ExampleError('the examples do not fit together: some have a prefix and some have none');
    }
    if (Object.values(prefixes).includes(environment)) {
      throw new ExampleError(
        `the examples do not fit together: several prefixes stand for ${environment}; make a scheme of each`,
      );
    }
    prefixes[prefix] = environment;
  }
  return prefixes;
}

/** Words with a sign behind each, as prefixes are made of: `acme_`, `acme_live_`; the shortest first. */
function wordPrefixes(example: string): string[] {
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(example)) return [];
  const [words = ''] =
    /^(?:(?:[a-z]{2,16}|[A-Z]{2,16}|[A-Z][a-z]{1,15})[0-9]{0,2}[_.-]){1,4}/.exec(example) ?? [];
  const ends = [...words.matchAll(/[_.-]/g)].map(({ index }) => index + 1);
  return ends.map((end) => words.slice(0, end)).filter(({ length }) => length <= prefixMax);
}

/** The prefix up to the word that names an environment; null where there is no such word. */
function environmentPrefix(example: string): string | null {
  return wordPrefixes(example).find((prefix) => /(?:^|[_.-])(?:live|test)[_.-]$/i.test(prefix)) ?? null;
}

function environmentIn(prefix: string): string {
  return /(?:^|[_.-])test[_.-]$/i.test(prefix) ? 'test' : 'live';
}

function commonPrefix(examples: readonly string[]): string {
  const [first = '', ...rest] = examples;
  const words = wordPrefixes(first).findLast((prefix) => rest.every((other) => other.startsWith(prefix)));
  if (words !== undefined) return words;
  const letters = commonLetters(examples);
  if (letters !== '') return letters;
  const worded = examples.filter((example) => wordPrefixes(example).length > 0);
  if (examples.length > 1 && worded.length > examples.length / 2) {
    throw new ExampleError('the examples do not fit together: they begin with different words');
  }
  return '';
}

/** Letters that keys begin with, without a sign behind them, such as `AKIA`: four keys share three by no chance. */
function commonLetters(examples: readonly string[]): string {
  const [first = '', ...rest] = examples;
  if (rest.length < 3) return '';
  let length = 0;
  while (/[A-Za-z]/.test(first.charAt(length)) && rest.every((other) => other[length] === first[length]))
    length++;
  return length >= 3 ? first.slice(0, length) : '';
}
