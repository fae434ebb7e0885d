import type { Mode, Scheme } from '../schemes/scheme.ts';

/** What a route says of itself in Envoy's `context_extensions`; what it does not say is left out. */
export interface RouteContext {
  /** The names of configured schemes, one or more. */
  readonly schemes?: readonly string[];
  readonly environment?: string;
  readonly permissions?: readonly string[];
  readonly cost?: number;
  readonly isPublic?: boolean;
  readonly mode?: Mode;
}

/** Why what a route says of itself cannot be used. Nobody can tell what it should have said, so it allows no one. */
export interface Misconfigured {
  /** The member that cannot be read, and `unknown` for a name that is none. */
  readonly member: ContextMember | 'unknown';
  /** For the one who wrote it: what is wrong, and what was expected. */
  readonly problem: string;
}

/** What a route may name. */
export interface KnownNames {
  readonly schemes: ReadonlySet<string>;
  readonly environments: ReadonlySet<string>;
}

/** The most that a route may cost. */
export const costMax = 1_000_000_000;
/** What a permission looks like: printable ASCII without spaces and commas. */
export const permissionForm = /^[\x21-\x2b\x2d-\x7e]{1,128}$/;

type ReadMember = (text: string, known: KnownNames) => RouteContext | string;

/** Every member that there is, in lower case: how its text is read, or else what was expected. */
const members = {
  scheme(text, { schemes }) {
    const names = listed(text);
    if (names.includes('')) return 'expected the name of a scheme, or several with commas between';
    const unknown = names.find((name) => !schemes.has(name));
    return unknown === undefined ? { schemes: names } : `${quoted(unknown)} is not among the schemes`;
  },
  environment(text, { environments }) {
    if (environments.has(text)) return { environment: text };
    return text === ''
      ? 'expected the name of an environment'
      : `${quoted(text)} is not an environment of a scheme`;
  },
  permissions(text) {
    const names = listed(text);
    if (names.every((name) => permissionForm.test(name))) return { permissions: names };
    return 'expected a permission, or several with commas between, of printable ASCII without spaces';
  },
  cost(text) {
    if (/^[0-9]{1,10}$/.test(text) && Number(text) <= costMax) return { cost: Number(text) };
    return `expected a whole number from 0 to ${costMax}, got ${quoted(text)}`;
  },
  public(text) {
    if (text === 'true' || text === 'false') return { isPublic: text === 'true' };
    return `expected true or false, got ${quoted(text)}`;
  },
  mode(text) {
    if (text === 'enforce' || text === 'observe') return { mode: text };
    return `expected enforce or observe, got ${quoted(text)}`;
  },
} satisfies Record<string, ReadMember>;

export type ContextMember = keyof typeof members;

/** The names of all members, as they have to be written. */
export const contextMembers = Object.keys(members) as ContextMember[];

/** Names that begin so are for others, and may say anything. */
const foreignPrefix = 'x-';

/** Reads all that a route says of itself; the first member that cannot be read decides. */
export function readContext(
  context: ReadonlyMap<string, string>,
  known: KnownNames,
): RouteContext | { readonly misconfigured: Misconfigured } {
  let said: RouteContext = {};
  for (const [name, text] of context) {
    if (name.startsWith(foreignPrefix)) continue;
    if (!isMember(name)) {
      const problem = `${quoted(name)} is not a member; there are ${contextMembers.join(', ')}`;
      return { misconfigured: { member: 'unknown', problem } };
    }
    const read = (members[name] as ReadMember)(text, known);
    if (typeof read === 'string') return { misconfigured: { member: name, problem: `${name}: ${read}` } };
    said = { ...said, ...read };
  }
  return said;
}

/** The mode alone, of a route that cannot be read otherwise; one that cannot be read either is to be enforced. */
export function readMode(context: ReadonlyMap<string, string>): Pick<RouteContext, 'mode'> {
  const text = context.get('mode');
  if (text === undefined) return {};
  return { mode: text === 'observe' ? 'observe' : 'enforce' };
}

/** What routes may name where these schemes are configured and this environment is served. */
export function knownNames(schemes: readonly Scheme[], environment: string): KnownNames {
  const prefixed = schemes.flatMap(({ prefixes }) => prefixes.map((prefix) => prefix.environment));
  return {
    schemes: new Set(schemes.map(({ name }) => name)),
    environments: new Set([...prefixed, environment]),
  };
}

function isMember(name: string): name is ContextMember {
  return Object.hasOwn(members, name);
}

function listed(text: string): string[] {
  return text.split(',').map((name) => name.trim());
}

/** As it was written where it is a short word that can be no key; this goes to logs. */
function quoted(text: string): string {
  const isShort = /^[\x20-\x7e]{0,40}$/.test(text) && !/[A-Za-z0-9]{16}/.test(text);
  return isShort ? JSON.stringify(text) : 'what is written there';
}
