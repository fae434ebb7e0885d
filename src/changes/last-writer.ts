import { Failure } from '../failure.ts';
import { adminWrite } from '../keys/admin-permissions.ts';
import { type KeyId, type KeyRecord, keyState } from '../keys/key.ts';
import type { Store } from '../store/store.ts';
import type { Guard } from './key-change.ts';

export interface LastWriterDependencies {
  readonly store: Pick<Store, 'listKeys'>;
  /** The scheme that admin keys are of. */
  readonly adminScheme: string;
  /** Whether somebody may change everything whatever becomes of the keys: by the settings, that is. */
  readonly hasOtherWriter: boolean;
}

const pageSize = 100;

/**
 * Refuses a change, with FAILED_PRECONDITION, after which no admin key without an owner could change anything: a
 * slip that nobody could mend from outside. Two who do it to each other in the same moment are not stopped.
 */
export function createLastWriterGuard(dependencies: LastWriterDependencies): Guard {
  const { store, adminScheme, hasOtherWriter } = dependencies;

  return async (before, after, at) => {
    if (hasOtherWriter || !mayWriteAll(before, at) || mayWriteAll(after, at)) return;
    if (await isThereAnother(before.id, at)) return;
    const message =
      'This is the last admin key that may change everything. Create another with admin:write and without an owner first.';
    throw new Failure('FAILED_PRECONDITION', 'LAST_ADMIN_KEY', message);
  };

  function mayWriteAll(key: KeyRecord, at: number): boolean {
    const isAdmin = key.scheme === adminScheme && key.owner === null && key.permissions.includes(adminWrite);
    return isAdmin && keyState(key, at) === 'active';
  }

  async function isThereAnother(id: KeyId, at: number): Promise<boolean> {
    const filter = { scheme: adminScheme, permission: adminWrite, state: 'active', now: at } as const;
    for (let before: KeyId | null = null; ; ) {
      const page: KeyRecord[] = await store.listKeys(filter, { before, size: pageSize });
      if (page.some((key) => key.id !== id && mayWriteAll(key, at))) return true;
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return false;
      before = last.id;
    }
  }
}
