import { type ExportTree, isTrue, items, type Members, members, textOf } from './export-tree.ts';
import { type ImportRow, importRow, labelsOf, RowError, secretText } from './row.ts';
import { type ExportTerms, requireLeftBehind } from './terms.ts';

/** Whether it is an `apisix.yaml`, what ADC dumps, or an answer of the Admin API about consumers or credentials. */
export function isApisix(value: unknown): boolean {
  const { consumers } = members(value);
  const isConsumer = (consumer: Members) =>
    Object.hasOwn(consumer, 'plugins') || Object.hasOwn(consumer, 'credentials');
  if (items(consumers).some((consumer) => isConsumer(members(consumer)))) return true;
  return resources(value).some(({ key }) => /\/consumers\//.test(textOf(key) ?? ''));
}

/**
 * The keys of APISIX's key-auth plugin, of consumers and of their credentials. The consumer's username is the owner;
 * labels stay labels. Other plugins of the consumer are a fault unless they are left behind knowingly.
 */
export function apisixRows({ value, placeOf }: ExportTree, terms: ExportTerms): ImportRow[] {
  const { path, list } = listOf(value);
  return list.flatMap((item, at) => {
    const { key, value: inner } = members(item);
    const resource = inner === undefined ? members(item) : members(inner);
    const owner = textOf(resource.username) ?? ownerIn(key) ?? ownerIn(resource.id);
    const own = keysOf(resource).map((plugin) => ({ plugin, from: resource, place: [...path, at] }));
    const more = items(resource.credentials).flatMap((credential, place) =>
      keysOf(members(credential)).map((plugin) => ({
        plugin,
        from: members(credential),
        place: [...path, at, 'credentials', place],
      })),
    );
    return [...own, ...more].map(({ plugin, from, place }) =>
      importRow(placeOf(place), () => {
        requireLeftBehind([...heldBy(resource), ...(from === resource ? [] : heldBy(from))], terms);
        return keyOf(plugin, owner, [resource, from]);
      }),
    );
  });
}

/** What the Admin API wraps in `list` (3.x) or `node.nodes` (2.x). */
function resources(value: unknown): Members[] {
  const { list, node } = members(value);
  return [...items(list), ...items(members(node).nodes)].map(members);
}

function listOf(value: unknown): { path: string[]; list: readonly unknown[] } {
  const tree = members(value);
  if (Array.isArray(tree.consumers)) return { path: ['consumers'], list: tree.consumers };
  if (Array.isArray(tree.list)) return { path: ['list'], list: tree.list };
  return { path: ['node', 'nodes'], list: items(members(tree.node).nodes) };
}

/** In the path of a resource, `/apisix/consumers/jack/credentials/one`, or the id of one without the beginning. */
function ownerIn(key: unknown): string | null {
  return /(?:^|\/)(?:consumers\/)?([^/]+)(?:\/credentials\/[^/]+)?$/.exec(textOf(key) ?? '')?.[1] ?? null;
}

/** The configuration of key-auth: under `plugins`, or as ADC writes a credential, by `type` and `config`. */
function keysOf({ plugins, type, config }: Members): Members[] {
  const plugin = members(plugins)['key-auth'] ?? (type === 'key-auth' ? config : undefined);
  return plugin === undefined ? [] : [members(plugin)];
}

/** Plugins of a consumer that do more than recognise it, and its group, whose plugins hold for it too. */
function heldBy({ plugins, group_id: group }: Members): string[] {
  const names = Object.entries(members(plugins))
    .filter(([name, plugin]) => !name.endsWith('-auth') && !isTrue(members(members(plugin)._meta).disable))
    .map(([name]) => name);
  return textOf(group) === null ? names : [...names, 'consumer-group'];
}

function keyOf({ key, _meta }: Members, owner: string | null, sources: readonly Members[]): Members {
  if (owner === null) throw new RowError('owner', 'belongs to no consumer');
  const labels = labelsOf(
    sources.flatMap((source) =>
      Object.entries(members(source.labels)).map(([name, text]) => [name, textOf(text) ?? ''] as const),
    ),
  );
  const name = sources.map(({ desc }) => textOf(desc)).findLast((desc) => desc !== null) ?? owner;
  return {
    secret: secretText(key),
    name: name.slice(0, 200),
    owner,
    ...(Object.keys(labels).length > 0 && { labels }),
    ...(isTrue(members(_meta).disable) && { disabled: true }),
  };
}
