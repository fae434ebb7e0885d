import { createFindCredential } from '../../check/credential.ts';
import type { AccessRequest } from '../../check/request.ts';
import { randomText } from '../../keys/secret.ts';
import { mintSecret, type Place, placeName, type Scheme } from '../../schemes/scheme.ts';
import type { ConfigProblem, SettingPath } from '../config-problem.ts';
import { nearestName, suggestion } from '../nearest-name.ts';
import { answerProblems } from './answer-spec.ts';
import { createScheme, readableMembers, type SchemeSpec, schemeSpec } from './scheme-spec.ts';

/** The fewest random bits that a minted key may carry. */
const randomBitsMin = 128;
/** Keys that are minted to see whether they are recognised. */
const samples = 100;

export interface SchemeContext {
  /** The schemes that may be listed by name. */
  readonly presets: ReadonlyMap<string, Scheme>;
  /** The scheme of admin keys, which is there even where the list does not name it. */
  readonly adminScheme: Scheme;
  /** The plans of the settings, in lower case. */
  readonly plans: readonly string[];
  readonly hasChecksumKeys: boolean;
  /** Why a pattern may take too long on a key made to that end; null when none can. */
  readonly judgePattern: (pattern: string) => string | null;
}

interface Listed {
  readonly path: SettingPath;
  /** Null where it cannot be read. */
  readonly name: string | null;
  /** What its keys begin with, and where it says so. */
  readonly prefixes: readonly { readonly text: string; readonly path: SettingPath }[];
}

/**
 * What is wrong with the schemes of the settings beyond the form of each member, as far as the other members
 * can be read; and the names that rules may use.
 */
export function schemeProblems(
  given: unknown,
  context: SchemeContext,
): { readonly problems: ConfigProblem[]; readonly names: readonly string[] } {
  if (!Array.isArray(given)) return { problems: [], names: [...context.presets.keys()] };
  const listed = given.map((entry, index) => readEntry(entry, ['schemes', index], context.presets));
  const problems = [
    ...given.flatMap((entry, index) =>
      typeof entry === 'string'
        ? presetProblems(entry, ['schemes', index], context.presets)
        : ownProblems(entry, ['schemes', index], context),
    ),
    ...sameNames(listed),
    ...overlaps(withAdmin(listed, context.adminScheme)),
    ...sharedPlaces(given),
  ];
  return { problems, names: listed.flatMap(({ name }) => name ?? []) };
}

/** The prefixes that one scheme shares with an earlier one, so that a key could be taken for either's. */
export function overlappingPrefixes(schemes: readonly Scheme[]): string[] {
  const listed = schemes.map(({ name, prefixes }) => ({ name, prefixes: at([], prefixes), path: [] }));
  return overlaps(listed).map(({ message }) => message);
}

function readEntry(entry: unknown, path: SettingPath, presets: ReadonlyMap<string, Scheme>): Listed {
  if (typeof entry !== 'string') {
    const { name = null, prefixes = {} } = readableMembers(entry);
    const texts = Object.keys(prefixes);
    return { name, path, prefixes: texts.map((text) => ({ text, path: [...path, 'prefixes', text] })) };
  }
  const name = presets.has(entry) ? entry : nearestName(entry, [...presets.keys()]);
  return { name, path, prefixes: at(path, presets.get(entry)?.prefixes ?? []) };
}

function at(path: SettingPath, prefixes: readonly { readonly text: string }[]): Listed['prefixes'] {
  return prefixes.map(({ text }) => ({ text, path }));
}

function presetProblems(
  name: string,
  path: SettingPath,
  presets: ReadonlyMap<string, Scheme>,
): ConfigProblem[] {
  if (presets.has(name)) return [];
  return [{ path, message: `there is no preset "${name}"${suggestion(name, [...presets.keys()])}` }];
}

function sameNames(listed: readonly Listed[]): ConfigProblem[] {
  return listed.flatMap(({ name, path }, index) => {
    const first = listed.findIndex((other) => other.name === name);
    if (name === null || first === index) return [];
    return [{ path, message: `${name} is there twice, first as schemes.${first}; expected each name once` }];
  });
}

function withAdmin(listed: readonly Listed[], { name, prefixes }: Scheme): Listed[] {
  const isListed = listed.some((scheme) => scheme.name === name);
  return isListed ? [...listed] : [{ name, path: [], prefixes: at([], prefixes) }, ...listed];
}

function overlaps(listed: readonly Listed[]): ConfigProblem[] {
  const all = listed.flatMap(({ name, prefixes }) => prefixes.map((prefix) => ({ name, ...prefix })));
  const prefixed = all.filter(({ text }) => text !== '');
  return prefixed.flatMap((later, index) =>
    prefixed
      .slice(0, index)
      .filter((earlier) => earlier.name !== later.name || later.name === null)
      .filter(({ text }) => text.startsWith(later.text) || later.text.startsWith(text))
      .map((earlier) => ({
        path: later.path,
        message: `a key could belong to two schemes: ${titled(later)} and ${titled(earlier)}; expected prefixes of which none begins with another`,
      })),
  );
}

/** Of keys without a prefix only the place can tell whose they are. */
function sharedPlaces(given: readonly unknown[]): ConfigProblem[] {
  const taken = new Map<string, string>();
  return given.flatMap((entry, index) => {
    const { name = `schemes.${index}`, places = [], prefixes = {} } = readableMembers(entry);
    if (!('' in prefixes)) return [];
    return places.flatMap((place, at) => {
      const location = placeName(place);
      const other = taken.get(location);
      taken.set(location, name);
      if (other === undefined || other === name) return [];
      const message = `the keys of ${other} have no prefix either, and sit there; expected one such scheme in a place`;
      return [{ path: ['schemes', index, 'places', at], message }];
    });
  });
}

/** What is made has a prefix, and what has none is not made. */
function mintProblems(
  entry: unknown,
  { prefixes = {} }: Partial<SchemeSpec>,
): { member: 'mint' | 'prefixes'; message: string }[] {
  if (typeof entry !== 'object' || entry === null || Object.keys(prefixes).length === 0) return [];
  const hasMint = 'mint' in entry;
  if (!('' in prefixes)) {
    return hasMint
      ? []
      : [{ member: 'mint', message: 'is missing; expected {alphabet: 0-9A-Za-z, length: 32}' }];
  }
  const problems: ReturnType<typeof mintProblems> = [];
  if (Object.keys(prefixes).length > 1) {
    const message = 'has keys with a prefix and without; expected a scheme for each';
    problems.push({ member: 'prefixes', message });
  }
  if (hasMint) {
    const message = 'is for keys with a prefix; those without are imported and never made, so leave it out';
    problems.push({ member: 'mint', message });
  }
  return problems;
}

function titled({ name, text }: { readonly name: string | null; readonly text: string }): string {
  return `${name ?? 'this'}'s ${text}`;
}

function ownProblems(entry: unknown, path: SettingPath, context: SchemeContext): ConfigProblem[] {
  const members = readableMembers(entry);
  const problems: ConfigProblem[] = [];
  const add = (member: keyof SchemeSpec, message: string) =>
    problems.push({ path: [...path, member], message });
  if (members.name === context.adminScheme.name) {
    add('name', `${members.name} is the product's own scheme; expected another name`);
  }
  if (members.checksum === 'hmac' && !context.hasChecksumKeys) {
    add('checksum', 'hmac needs keys; expected them in POSTERN_CHECKSUM_KEYS');
  }
  const plans = [...Object.keys(members.plans ?? {}), ...context.plans];
  if (members.default_plan !== undefined && !includesFolded(plans, members.default_plan)) {
    add(
      'default_plan',
      `there is no plan "${members.default_plan}"${suggestion(members.default_plan, plans)}`,
    );
  }
  if (typeof entry === 'object' && entry !== null && 'answers' in entry) {
    for (const problem of answerProblems(entry.answers)) {
      problems.push({ path: [...path, 'answers', ...problem.path], message: problem.message });
    }
  }
  const danger = members.accept?.pattern ? context.judgePattern(members.accept.pattern) : null;
  if (danger !== null) problems.push({ path: [...path, 'accept', 'pattern'], message: danger });
  for (const { member, message } of mintProblems(entry, members)) add(member, message);
  if (members.mint === undefined) {
    if (danger === null) problems.push(...placeProblems(entry, path, context));
  } else {
    const { alphabet, length } = members.mint;
    const bits = Math.floor(length * Math.log2(alphabet.length));
    if (bits < randomBitsMin) add('mint', `gives ${bits} random bits; expected ${randomBitsMin} or more`);
    const accepts = danger === null ? members.accept?.accepts : undefined;
    const minted = Array.from({ length: samples }, () => randomText(alphabet, length));
    if (accepts !== undefined && !minted.every(accepts)) {
      add('mint', 'makes keys that accept denies; expected characters and a length that it takes');
    } else if (danger === null) problems.push(...placeProblems(entry, path, context));
  }
  return problems;
}

/** Names of plans match in any case. */
function includesFolded(plans: readonly string[], plan: string): boolean {
  return plans.some((known) => known.toLowerCase() === plan.toLowerCase());
}

/** Whether keys come through every place that they may sit in: a comma in a header, say, would end them. */
function placeProblems(entry: unknown, path: SettingPath, { adminScheme }: SchemeContext): ConfigProblem[] {
  const spec = schemeSpec.safeParse(entry);
  if (!spec.success) return [];
  const defaults = { answers: adminScheme.answers, checksumKeys: [] };
  const scheme = createScheme({ ...spec.data, checksum: 'none', answers: undefined }, defaults);
  const keys = Array.from({ length: samples }, () => sampleKey(scheme, spec.data)).filter(
    (key) => key !== null,
  );
  return scheme.places.flatMap((place, index) => {
    const alone = { ...scheme, places: [place] as const };
    const findCredential = createFindCredential([alone]);
    if (keys.every((key) => findCredential(requestWith(key, place)).kind === 'key')) return [];
    const message = 'keys of this alphabet cannot be read from there; expected one without , and ;';
    return [{ path: [...path, 'places', index], message }];
  });
}

/** Null where only a pattern tells what a key looks like. */
function sampleKey(scheme: Scheme, { accept }: SchemeSpec): string | null {
  const environment = scheme.prefixes[0]?.environment ?? '';
  if (scheme.mint !== null) return mintSecret(scheme, environment)?.secret.reveal() ?? null;
  return accept.alphabet === null
    ? null
    : (scheme.prefixes[0]?.text ?? '') + randomText(accept.alphabet, accept.lengthMin);
}

function requestWith(key: string, { kind, ...place }: Place): AccessRequest {
  const header = kind === 'header' ? place.name : 'cookie';
  const word = 'word' in place && place.word !== null ? `${place.word} ` : '';
  const value = kind === 'header' ? word + key : `${place.name}=${key}`;
  return {
    method: 'GET',
    host: '',
    path: kind === 'query' ? `/?${place.name}=${encodeURIComponent(key)}` : '/',
    address: null,
    context: new Map(),
    header: (name) => (kind !== 'query' && name === header ? [value] : []),
    reservedHeaders: () => [],
  };
}
