import type { KeyPolicy } from '../../check/policy.ts';
import { invalidArgument } from '../../failure.ts';
import { isKeyId } from '../../keys/key.ts';
import { type KeySearch, prefixesMax } from '../../keys/key-search.ts';
import { recognise, type Scheme } from '../../schemes/scheme.ts';
import { nearestName } from '../../settings/nearest-name.ts';
import type { KeyFilter } from '../../store/records/key-filter.ts';
import type { Store } from '../../store/store.ts';

/** A word of this length that also has a digit may be a key of a scheme without a prefix. */
const bareKeyLengthMin = 20;

/**
 * Reads what is searched for: a key's id, what is shown of a key (`pst_live_s3BT`, `pst_live_s3BT…6WNH`, or as much of
 * its beginning as somebody has), or any other text.
 */
export function keySearch(text: string, schemes: readonly Scheme[]): KeySearch {
  if (isKeyId(text)) return { kind: 'id', text, id: text };
  const masked = /^(\S+?)(?:…|\.{3,}|\*{3,}|•+)(\S{0,4})$/u.exec(text);
  if (masked?.[1] !== undefined) {
    const [, prefix, last4 = ''] = masked;
    return { kind: 'shown', text, prefixes: [prefix], last4: last4 === '' ? null : last4 };
  }
  const begun = schemes
    .flatMap(({ prefixes }) => prefixes.map((prefix) => prefix.text))
    .filter((prefix) => prefix !== '' && text.length > prefix.length && text.startsWith(prefix));
  if (begun.length === 0 || /\s/u.test(text)) return { kind: 'text', text };
  const shortest = Math.min(...begun.map((prefix) => prefix.length));
  const lengths = Array.from({ length: text.length - shortest }, (_, index) => shortest + 1 + index);
  const prefixes = lengths.slice(0, prefixesMax).map((length) => text.slice(0, length));
  return { kind: 'shown', text, prefixes, last4: null };
}

/** Throws INVALID_ARGUMENT for a text that holds a whole key by its form: it would stand in URLs and their logs. */
export function requireNoKey(field: string, text: string, schemes: readonly Scheme[]): void {
  if (!text.split(/\s+/u).some((word) => isWholeKey(word, schemes))) return;
  const description = 'holds a whole key; find it by POST /admin/api-keys:find, or "postern keys find"';
  throw invalidArgument([{ field, description }]);
}

function isWholeKey(word: string, schemes: readonly Scheme[]): boolean {
  if (isKeyId(word)) return false;
  return schemes.some((scheme) => {
    const prefix = recognise(scheme, word);
    if (prefix === null) return false;
    return prefix.text !== '' || (word.length >= bareKeyLengthMin && /\d/.test(word));
  });
}

/**
 * The filter as it finds something: what has the form of an id or of a key's beginning, and is none that there is, may
 * be part of a name.
 */
export async function settledSearch(store: Pick<Store, 'listKeys'>, filter: KeyFilter): Promise<KeyFilter> {
  const { search } = filter;
  if (search === undefined || search.kind === 'text') return filter;
  const [found] = await store.listKeys(filter, { before: null, size: 1 });
  return found === undefined ? { ...filter, search: { kind: 'text', text: search.text } } : filter;
}

/**
 * Throws INVALID_ARGUMENT for a filter that kept nothing by the name of a scheme or an environment that is neither
 * configured nor that of any key.
 */
export async function requireKnownFilter(
  store: Pick<Store, 'listKeys'>,
  filter: KeyFilter,
  { keySchemes, environment }: Pick<KeyPolicy, 'keySchemes' | 'environment'>,
): Promise<void> {
  const environments = keySchemes.flatMap(({ prefixes }) => prefixes.map((prefix) => prefix.environment));
  const known = {
    scheme: keySchemes.map(({ name }) => name),
    environment: [...new Set([environment, ...environments])],
  };
  const violations = [];
  for (const field of ['scheme', 'environment'] as const) {
    const { [field]: asked, owner, now } = filter;
    if (asked === undefined || known[field].includes(asked)) continue;
    const alone = { [field]: asked, now, ...(owner !== undefined && { owner }) };
    if ((await store.listKeys(alone, { before: null, size: 1 })).length > 0) continue;
    const nearest = nearestName(asked, known[field]);
    const hint = nearest === null ? '' : `; did you mean ${nearest}?`;
    const description = `is not configured, and no key has it; there are: ${known[field].join(', ')}${hint}`;
    violations.push({ field, description });
  }
  if (violations.length > 0) throw invalidArgument(violations);
}
