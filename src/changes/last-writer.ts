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
  /** Whether callers can show a certificate; where none can, an admin key with principals is of no use. */
  readonly asksForCertificates: boolean;
}

const pageSize = 100;

/**
 * Refuses a change, with FAILED_PRECONDITION, after which no admin key without an owner could change anything: a
 * slip that nobody could mend from outside. Two who do it to each other in the same moment are not stopped.
 */
/** Refuses the end of these keys together, by the same rule. */
export type EndsLastWriter = (ending: ReadonlySet<KeyId>, at: number) => Promise<void>;

export function createLastWriterGuard(
  dependencies: LastWriterDependencies,
): Guard & { readonly many: EndsLastWriter } {
  const { store, adminScheme, hasOtherWriter, asksForCertificates } = dependencies;

  const one: Guard = async (before, after, at) => {
    if (hasOtherWriter || !mayWriteAll(before, at) || mayWriteAll(after, at)) return;
    if ((await otherThan(new Set([before.id]), at)).isThere) return;
    throw lastWriter();
  };
  const many: EndsLastWriter = async (ending, at) => {
    if (hasOtherWriter || ending.size === 0) return;
    const { isThere, isOneEnding } = await otherThan(ending, at);
    if (isOneEnding && !isThere) throw lastWriter();
  };
  return Object.assign(one, { many });

  function mayWriteAll(key: KeyRecord, at: number): boolean {
    const isAdmin = key.scheme === adminScheme && key.owner === null && key.permissions.includes(adminWrite);
    const isUsable = asksForCertificates || key.principals.length === 0;
    return isAdmin && isUsable && keyState(key, at) === 'active';
  }

  /** Whether a writer is there beside these, and whether one is among these. */
  async function otherThan(ending: ReadonlySet<KeyId>, at: number) {
    const filter = { scheme: adminScheme, permission: adminWrite, state: 'active', now: at } as const;
    let isOneEnding = false;
    for (let before: KeyId | null = null; ; ) {
      const page: KeyRecord[] = await store.listKeys(filter, { before, size: pageSize });
      for (const key of page) {
        if (!mayWriteAll(key, at)) continue;
        if (!ending.has(key.id)) return { isThere: true, isOneEnding };
        isOneEnding = true;
      }
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return { isThere: false, isOneEnding };
      before = last.id;
    }
  }
}

function lastWriter(): Failure {
  const message =
    'This is the last admin key that may change everything. Create another with admin:write, without an owner and without principals first.';
  return new Failure('FAILED_PRECONDITION', 'LAST_ADMIN_KEY', message);
}
