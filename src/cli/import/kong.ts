import { type ExportTree, items, type Members, members, numberOf, textOf } from './export-tree.ts';
import { type ImportRow, importRow, RowError, secretText, tagLabels } from './row.ts';

/** Whether it is what `deck gateway dump` or `kong config db_export` writes. */
export function isKong(value: unknown): boolean {
  const { _format_version: version, keyauth_credentials: credentials, consumers } = members(value);
  if (textOf(version) !== null || Array.isArray(credentials)) return true;
  return items(consumers).some((consumer) => Object.hasOwn(members(consumer), 'keyauth_credentials'));
}

/**
 * The key-auth credentials of Kong: beside their consumers, as decK writes them, and in a list of their own, as Kong's
 * own export does. The consumer's username, else its custom_id, is the owner; tags become labels.
 */
export function kongRows({ value, placeOf }: ExportTree): ImportRow[] {
  const tree = members(value);
  const consumers = items(tree.consumers).map(members);
  const nested = consumers.flatMap((consumer, at) =>
    items(consumer.keyauth_credentials).map((credential, place) =>
      importRow(placeOf(['consumers', at, 'keyauth_credentials', place]), () =>
        keyOf(members(credential), consumer),
      ),
    ),
  );
  const apart = items(tree.keyauth_credentials).map((credential, place) =>
    importRow(placeOf(['keyauth_credentials', place]), () => {
      const found = members(credential);
      return keyOf(found, consumerOf(found.consumer, consumers));
    }),
  );
  return [...nested, ...apart];
}

function consumerOf(named: unknown, consumers: readonly Members[]): Members {
  const name = textOf(named) ?? textOf(members(named).id) ?? textOf(members(named).username);
  const found = consumers.find(({ id, username }) => name !== null && (id === name || username === name));
  if (found !== undefined) return found;
  throw new RowError('owner', 'belongs to a consumer that is not in this file');
}

function keyOf({ key, tags, ttl, created_at }: Members, consumer: Members): Members {
  const owner = textOf(consumer.username) ?? textOf(consumer.custom_id);
  const allTags = [...items(consumer.tags), ...items(tags)].flatMap((tag) => textOf(tag) ?? []);
  const expiresAt = expiryOf(numberOf(ttl), numberOf(created_at));
  return {
    secret: secretText(key),
    name: owner === null ? 'Imported from Kong' : owner.slice(0, 200),
    ...(owner !== null && { owner }),
    ...(allTags.length > 0 && { labels: tagLabels(allTags) }),
    ...(expiresAt !== null && { expires_at: expiresAt }),
  };
}

/** Kong counts a `ttl` in seconds from the creation. */
function expiryOf(ttl: number | null, createdAt: number | null): string | null {
  if (ttl === null || ttl === 0) return null;
  const ms = createdAt === null ? Number.NaN : (createdAt + ttl) * 1_000;
  if (!Number.isFinite(new Date(ms).getTime())) {
    throw new RowError('expires_at', 'has a ttl but no created_at, so that nobody can tell when it ends');
  }
  return new Date(ms).toISOString();
}
