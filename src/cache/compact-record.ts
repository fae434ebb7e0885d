import type { KeyRecord, RateLimit } from '../keys/key.ts';

/** Different values of one kind that are shared; past it, what comes after is shared anew. */
const sharedMax = 10_000;

/**
 * Makes records small for a memory that holds many: what many of them have in common is held once. A key then
 * takes half the bytes, and a Check touches what the last one touched, not memory of its own. Equal in every member.
 */
export function createCompactRecord(): (record: KeyRecord) => KeyRecord {
  const texts = createShared<string>();
  const lists = createShared<readonly string[]>();
  const labels = createShared<KeyRecord['labels']>();
  const limits = createShared<RateLimit>();
  const shareText = (text: string) => texts(text, () => text);
  const shareTextOrNull = (text: string | null) => (text === null ? null : shareText(text));
  const shareList = (list: readonly string[]) => lists(JSON.stringify(list), () => list.map(shareText));

  return (record) => ({
    id: record.id,
    digest: record.digest,
    name: record.name,
    scheme: shareText(record.scheme),
    environment: shareText(record.environment),
    prefix: record.prefix,
    last4: record.last4,
    owner: shareTextOrNull(record.owner),
    permissions: shareList(record.permissions),
    ipAllowlist: shareList(record.ipAllowlist),
    plan: shareTextOrNull(record.plan),
    rateLimit:
      record.rateLimit === null
        ? null
        : limits(JSON.stringify(record.rateLimit), () => record.rateLimit as RateLimit),
    labels: labels(JSON.stringify(record.labels), () => record.labels),
    createdAt: record.createdAt,
    updatedAt: record.updatedAt,
    lastUsedAt: record.lastUsedAt,
    expiresAt: record.expiresAt,
    disabledAt: record.disabledAt,
    revokedAt: record.revokedAt,
    rotatedFrom: record.rotatedFrom,
    rotatedTo: record.rotatedTo,
    spender: record.spender === record.id ? record.id : record.spender,
    createdBy: shareTextOrNull(record.createdBy),
    importId: shareTextOrNull(record.importId),
    requestKey: record.requestKey,
    version: record.version,
  });
}

/** The value that was made first for a name. */
function createShared<Value>(): (name: string, make: () => Value) => Value {
  const known = new Map<string, Value>();
  return (name, make) => {
    const shared = known.get(name);
    if (shared !== undefined) return shared;
    if (known.size >= sharedMax) known.clear();
    const made = make();
    known.set(name, made);
    return made;
  };
}
