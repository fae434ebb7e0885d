import { z } from 'zod';
import { type Ending, ended } from '../../changes/bulk.ts';
import type { EndsLastWriter } from '../../changes/last-writer.ts';
import type { Registry } from '../../changes/registry.ts';
import type { KeyPolicy } from '../../check/policy.ts';
import { type Failure, invalidArgument } from '../../failure.ts';
import { isKeyId, type KeyId, type KeyRecord } from '../../keys/key.ts';
import type { KeyFilter } from '../../store/records/key-filter.ts';
import { nullIfBad, type Store } from '../../store/store.ts';
import { yieldToOthers } from '../../time/yield-to-others.ts';
import { type Call, ownerFor, visibleTo } from '../call.ts';
import { pageFilter } from '../page-token.ts';
import { readInput } from '../read-input.ts';
import { keyFilterInput } from './list-input.ts';
import { keySearch, requireNoKey, settledSearch } from './search-terms.ts';

/** `POST /admin/api-keys:revoke`, `:disable`, RevokeKeysRequest and DisableKeysRequest. */
export const endKeysInput = z.strictObject({
  filter: keyFilterInput.nullish(),
  ids: z.array(z.string().max(128)).max(10_000, 'may have at most 10000 entries').nullish(),
  dry_run: z
    .boolean()
    .nullish()
    .transform((value) => value ?? false),
});

export interface EndedKeys {
  readonly matched: number;
  /** Of them, those that were changed, or would be. */
  readonly changed: number;
  /** Unix milliseconds; null in a dry run. */
  readonly effectiveAt: number | null;
  readonly unconfirmedReplicas: readonly string[];
}

/** Many keys at once, of which one wait is for all. */
export interface BulkOperations {
  revokeKeys(call: Call, input: unknown): Promise<EndedKeys>;
  disableKeys(call: Call, input: unknown): Promise<EndedKeys>;
}

export interface BulkOperationsDependencies {
  readonly registry: Pick<Registry, 'endMany'>;
  readonly store: Pick<Store, 'getKey' | 'listKeys'>;
  readonly policy: () => Pick<KeyPolicy, 'keySchemes'>;
  /** Refuses what would leave nobody who may change everything. */
  readonly endsLastWriter: EndsLastWriter;
  readonly now: () => number;
}

const pageSize = 500;
/** Keys in one call; past it the filter is to be narrowed. */
const keysMax = 1_000_000;

export function createBulkOperations(dependencies: BulkOperationsDependencies): BulkOperations {
  const { registry, store, policy, endsLastWriter, now } = dependencies;
  return {
    revokeKeys: (call, input) => endKeys(call, input, 'revoked'),
    disableKeys: (call, input) => endKeys(call, input, 'disabled'),
  };

  async function endKeys(call: Call, input: unknown, ending: Ending): Promise<EndedKeys> {
    const { filter, ids, dry_run } = readInput(endKeysInput, input);
    const isFiltered = Object.values(filter ?? {}).some((value) => value != null);
    if (!isFiltered && !ids?.length) {
      const description = 'is required, or ids: neither names a key';
      throw invalidArgument([{ field: 'filter', description }]);
    }
    let matched = 0;
    const due: KeyId[] = [];
    const met = isFiltered ? filtered(call, filter ?? {}, new Set(ids ?? [])) : named(call, ids ?? []);
    for await (const key of met) {
      if (++matched > keysMax) throw tooMany();
      if (ended(key, ending, now()) !== null) due.push(key.id);
    }
    await endsLastWriter(new Set(due), now());
    if (dry_run) return { matched, changed: due.length, effectiveAt: null, unconfirmedReplicas: [] };
    const by = { visible: visibleTo(call), origin: call.origin };
    return { matched, ...(await registry.endMany(due, ending, by)) };
  }

  async function* filtered(
    call: Call,
    { search, ...asked }: z.output<typeof keyFilterInput>,
    ids: ReadonlySet<string>,
  ): AsyncGenerator<KeyRecord> {
    const { keySchemes } = policy();
    for (const [field, text] of Object.entries({ search, name_contains: asked.name_contains })) {
      if (text != null) requireNoKey(`filter.${field}`, text, keySchemes);
    }
    const owner = ownerFor(call, asked.owner ?? null);
    const searched = search == null ? undefined : keySearch(search, keySchemes);
    const wanted: KeyFilter = { ...pageFilter({ ...asked, owner, search: searched }), now: now() };
    const filter = await settledSearch(store, wanted);
    const visible = visibleTo(call);
    for (let before: KeyId | null = null; ; await yieldToOthers()) {
      const page: KeyRecord[] = await store.listKeys(filter, { before, size: pageSize });
      for (const key of page) if ((ids.size === 0 || ids.has(key.id)) && visible(key)) yield key;
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return;
      before = last.id;
    }
  }

  async function* named(call: Call, ids: readonly string[]): AsyncGenerator<KeyRecord> {
    const visible = visibleTo(call);
    for (const id of new Set(ids)) {
      const key = isKeyId(id) ? await store.getKey(id).catch(nullIfBad) : null;
      if (key !== null && visible(key)) yield key;
    }
  }
}

function tooMany(): Failure {
  const description = `matches more than ${keysMax} keys; narrow it`;
  return invalidArgument([{ field: 'filter', description }]);
}
