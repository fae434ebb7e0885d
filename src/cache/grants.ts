import type { CheckedKey } from '../keys/key.ts';
import { grantedBy, type RoleRecord } from '../keys/role.ts';
import type { Feed } from '../store/feed/feed.ts';
import type { Store } from '../store/store.ts';
import { BoundedCache } from './bounded-cache.ts';
import { createSharedReads } from './shared-reads.ts';

/** What keys hold by their own permissions and those of their roles. */
export interface Grants {
  /** Each permission once, its own first; undefined when memory may not answer. The same list for as long as it holds. */
  peek(key: CheckedKey): readonly string[] | undefined;
  /** Asks the store for the roles that are not known, as `Keyring.loadOwner` does for an owner. */
  load(key: CheckedKey): Promise<readonly string[]>;
  onRoleChange(id: string): void;
  onGap(): void;
  reads(): number;
}

export interface GrantsDependencies {
  readonly store: Pick<Store, 'getRole'>;
  readonly feed: Pick<Feed, 'isFresh'>;
}

/** Roles that are remembered; a fleet has hundreds. */
const rolesMax = 10_000;

type Lists = WeakMap<readonly string[], readonly string[]>;

/**
 * What a key holds in all is worked out once for each pair of lists, which keys in memory share where they are equal,
 * and anew after any change of a role: a Check of a key with roles costs two lookups by those lists, one without none.
 */
export function createGrants({ store, feed }: GrantsDependencies, options: { readsMax: number }): Grants {
  const roles = new BoundedCache<string, RoleRecord | null>(rolesMax);
  const roleReads = createSharedReads<RoleRecord | null>(feed.isFresh, options);
  let workedOut = new WeakMap<readonly string[], Lists>();

  return {
    peek(key) {
      if (key.roles.length === 0) return key.permissions;
      if (!feed.isFresh()) return undefined;
      return workedOut.get(key.roles)?.get(key.permissions) ?? workOut(key);
    },
    async load(key) {
      const records: (RoleRecord | null)[] = [];
      for (const id of key.roles) {
        const known = feed.isFresh() ? roles.get(id) : undefined;
        records.push(known === undefined ? await read(id) : known);
      }
      return grantedBy(key.permissions, records);
    },
    onRoleChange(id) {
      roleReads.change(id);
      roles.delete(id);
      workedOut = new WeakMap();
    },
    onGap() {
      roleReads.gap();
      roles.clear();
      workedOut = new WeakMap();
    },
    reads: () => roleReads.underWay(),
  };

  function workOut(key: CheckedKey): readonly string[] | undefined {
    const records: (RoleRecord | null)[] = [];
    for (const id of key.roles) {
      const known = roles.get(id);
      if (known === undefined) return undefined;
      records.push(known);
    }
    const granted = grantedBy(key.permissions, records);
    const ofRoles: Lists = workedOut.get(key.roles) ?? new WeakMap();
    workedOut.set(key.roles, ofRoles);
    ofRoles.set(key.permissions, granted);
    return granted;
  }

  function read(id: string): Promise<RoleRecord | null> {
    return roleReads.read(id, {
      find: () => store.getRole(id),
      namesOf: () => [id],
      keep: (record) => roles.set(id, record),
    });
  }
}
