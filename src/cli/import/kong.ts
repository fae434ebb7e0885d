import { type ExportTree, isFalse, items, type Members, members, numberOf, textOf } from './export-tree.ts';
import { type ImportRow, importRow, RowError, secretText, tagLabels } from './row.ts';
import { type ExportTerms, requireLeftBehind } from './terms.ts';

/** Whether it is what `deck gateway dump` or `kong config db_export` writes, or `GET /key-auths` of the Admin API. */
export function isKong(value: unknown): boolean {
  const { _format_version: version, keyauth_credentials: credentials, consumers } = members(value);
  if (textOf(version) !== null || Array.isArray(credentials) || listed(value).length > 0) return true;
  return items(consumers).some((consumer) => Object.hasOwn(members(consumer), 'keyauth_credentials'));
}

/**
 * The key-auth credentials of Kong: beside their consumers, as decK writes them, and in a list of their own, as Kong's
 * own export does. The consumer's username, else its custom_id, is the owner; tags become labels, its groups permissions
 * `group:NAME`. What else held for the consumer is a fault unless it is left behind knowingly.
 */
export function kongRows({ value, placeOf }: ExportTree, terms: ExportTerms): ImportRow[] {
  const tree = members(value);
  const consumers = items(tree.consumers).map(members);
  const nested = consumers.flatMap((consumer, at) =>
    items(consumer.keyauth_credentials).map((credential, place) =>
      importRow(placeOf(['consumers', at, 'keyauth_credentials', place]), () =>
        keyOf(members(credential), consumer, held(consumer, tree), terms),
      ),
    ),
  );
  const apart = (list: string, credentials: readonly unknown[]) =>
    credentials.map((credential, place) =>
      importRow(placeOf([list, place]), () => {
        const found = members(credential);
        const consumer = consumerOf(found.consumer, consumers);
        return keyOf(found, consumer, held(consumer, tree), terms);
      }),
    );
  return [
    ...nested,
    ...apart('keyauth_credentials', items(tree.keyauth_credentials)),
    ...apart('data', listed(value)),
  ];
}

/** The Admin API's list of credentials, which says of each consumer its id alone. */
function listed(value: unknown): readonly unknown[] {
  const list = items(members(value).data);
  return list.every((item) => ['key', 'consumer'].every((name) => Object.hasOwn(members(item), name)))
    ? list
    : [];
}

function consumerOf(named: unknown, consumers: readonly Members[]): Members {
  const name = textOf(named) ?? textOf(members(named).id) ?? textOf(members(named).username);
  const found = consumers.find(({ id, username }) => name !== null && (id === name || username === name));
  if (found !== undefined) return found;
  throw new RowError('owner', 'belongs to a consumer that is not in this file');
}

/** What holds for a consumer besides its keys. */
interface Held {
  readonly plugins: readonly string[];
  readonly groups: readonly string[];
}

/** Beside the consumer, as decK writes it, and in lists of their own that name it, as Kong does. */
function held(consumer: Members, tree: Members): Held {
  const ofConsumer = (item: Members) => {
    const name =
      textOf(item.consumer) ?? textOf(members(item.consumer).id) ?? textOf(members(item.consumer).username);
    return name !== null && (name === consumer.id || name === consumer.username);
  };
  const all = (name: string) => [
    ...items(consumer[name]).map(members),
    ...items(tree[name]).map(members).filter(ofConsumer),
  ];
  const plugins = all('plugins').filter(({ enabled }) => !isFalse(enabled));
  const isGrouped = items(consumer.groups).length + all('consumer_group_consumers').length > 0;
  return {
    plugins: [...plugins.flatMap(({ name }) => textOf(name) ?? []), ...(isGrouped ? ['consumer-group'] : [])],
    groups: all('acls').flatMap(({ group }) => textOf(group) ?? []),
  };
}

function keyOf(
  { key, tags, ttl }: Members,
  consumer: Members,
  { plugins, groups }: Held,
  terms: ExportTerms,
): Members {
  requireLeftBehind(plugins, terms);
  const owner = textOf(consumer.username) ?? textOf(consumer.custom_id);
  const allTags = [...items(consumer.tags), ...items(tags)].flatMap((tag) => textOf(tag) ?? []);
  const expiresAt = expiryOf(numberOf(ttl), terms);
  return {
    secret: secretText(key),
    name: owner === null ? 'Imported from Kong' : owner.slice(0, 200),
    ...(owner !== null && { owner }),
    ...(groups.length > 0 && { permissions: groups.map((group) => `group:${group}`) }),
    ...(allTags.length > 0 && { labels: tagLabels(allTags) }),
    ...(expiresAt !== null && { expires_at: expiresAt }),
  };
}

/** From here on a number of seconds is a time: no ttl of Kong may be longer than 100 000 000. */
const absoluteFrom = 1_000_000_000;

/**
 * Since 3.5 Kong's own export has the end itself, in Unix seconds (https://github.com/Kong/kong/pull/11464). Its Admin
 * API, and so decK, and older exports have the seconds that were left when they were asked: never those from the
 * creation.
 */
function expiryOf(ttl: number | null, { exportedAtMs }: ExportTerms): string | null {
  if (ttl === null) return null;
  const at = ttl >= absoluteFrom ? ttl * 1_000 : exportedAtMs === null ? null : exportedAtMs + ttl * 1_000;
  if (at === null) {
    throw new RowError(
      'expires_at',
      'has a ttl, the seconds that were left when the file was written; say when that was by --exported-at',
    );
  }
  if (Number.isFinite(new Date(at).getTime())) return new Date(at).toISOString();
  throw new RowError('expires_at', 'has a ttl that is not a time');
}
