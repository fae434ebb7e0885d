import type { JournalFilter } from '../journal/journal-store.ts';
import { isKeyId, type KeyId, type KeyRecord } from '../keys/key.ts';
import { nullIfBad, type Store } from '../store/store.ts';

/** Keys that each replaced the one before, by rotations, oldest first, with one of them that was asked for. */
export interface KeyLine {
  readonly keys: readonly KeyId[];
  /** The imports that some of them came by. */
  readonly imports: readonly string[];
}

/** Keys before, and after, the one that is asked for; of a longer line those nearest to it. */
export const lineMax = 50;

/** Who asks: whether they may see a key, and whose entries of the journal. */
export interface LineView {
  readonly isVisible: (key: KeyRecord) => boolean;
  readonly owner: string | null;
}

/** Finds the line by the keys' records, and by the journal where a record is gone. */
export async function findKeyLine(
  store: Pick<Store, 'getKey' | 'listJournal'>,
  key: KeyId,
  { isVisible, owner }: LineView,
): Promise<KeyLine> {
  const imports = new Set<string>();
  const met = new Set<KeyId>([key]);
  const before = await walk(previous);
  const after = await walk(next);
  return { keys: [...before.reverse(), key, ...after], imports: [...imports] };

  async function walk(step: (id: KeyId) => Promise<KeyId | null>): Promise<KeyId[]> {
    const walked: KeyId[] = [];
    for (let id = await step(key); id !== null && walked.length < lineMax; id = await step(id)) {
      // Records that were tampered with may go in a circle.
      if (met.has(id)) break;
      met.add(id);
      walked.push(id);
    }
    return walked;
  }

  async function recordOf(id: KeyId): Promise<KeyRecord | null> {
    const record = await store.getKey(id).catch(nullIfBad);
    if (record === null || !isVisible(record)) return null;
    if (record.importId !== null) imports.add(record.importId);
    return record;
  }

  async function previous(id: KeyId): Promise<KeyId | null> {
    const record = await recordOf(id);
    if (record !== null) return record.rotatedFrom;
    // Each change of it tells what it was, the predecessor too.
    const entry = await latest({ target: id, outcome: 'ok', kind: 'call' });
    const { rotated, ...after } = Object(entry?.after) as Record<string, unknown>;
    return idIn(entry?.before, 'rotated_from') ?? idIn(rotated ?? after, 'rotated_from');
  }

  async function next(id: KeyId): Promise<KeyId | null> {
    const record = await recordOf(id);
    if (record !== null) return record.rotatedTo;
    const entry = await latest({ target: id, outcome: 'ok', action: 'RotateKey' });
    return idIn((Object(entry?.after) as { readonly made?: unknown }).made, 'id');
  }

  async function latest(filter: JournalFilter) {
    const asked = owner === null ? filter : { ...filter, owner };
    const [entry] = await store.listJournal(asked, { order: 'newest', after: null, size: 1 });
    return entry;
  }
}

function idIn(value: unknown, member: string): KeyId | null {
  const id = (Object(value) as Record<string, unknown>)[member];
  return typeof id === 'string' && isKeyId(id) ? id : null;
}
