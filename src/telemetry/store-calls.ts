import type { Asker, Store } from '../store/store.ts';

/** Wraps one operation of a store, which is named as metrics and traces call it: `find_key`. */
export type WrapCall = <A extends unknown[], R>(
  operation: string,
  call: (...args: A) => Promise<R>,
) => (...args: A) => Promise<R>;

/**
 * A read that Checks wait for, and admin calls too, by another name there: how long an admin call's may take says nothing
 * of a Check's, which is `find_key`, as the other is `find_key_admin`.
 */
function byAsker<Asked, R>(
  wrap: WrapCall,
  operation: string,
  call: (asked: Asked, asker?: Asker) => Promise<R>,
): (asked: Asked, asker?: Asker) => Promise<R> {
  const [forChecks, forOthers] = [wrap(operation, call), wrap(`${operation}_admin`, call)];
  return (asked, asker) => (asker === 'check' ? forChecks : forOthers)(asked, asker);
}

/** The same store, with every operation that waits for it wrapped, save its end. */
export function eachCall(store: Store, wrap: WrapCall): Store {
  return {
    kind: store.kind,
    insertsAtOnce: store.insertsAtOnce,
    digestsAtOnce: store.digestsAtOnce,
    feed: store.feed,
    open: wrap('open', () => store.open()),
    close: () => store.close(),
    findKey: byAsker(wrap, 'find_key', (...given) => store.findKey(...given)),
    getKey: wrap('get_key', (...given) => store.getKey(...given)),
    findDigests: wrap('find_digests', (digests) => store.findDigests(digests)),
    countOwned: wrap('count_owned', (...given) => store.countOwned(...given)),
    findExternalIds: wrap('find_external_ids', (asked) => store.findExternalIds(asked)),
    getKeyByRequest: wrap('get_key_by_request', (...asked) => store.getKeyByRequest(...asked)),
    listKeys: wrap('list_keys', (filter, page) => store.listKeys(filter, page)),
    listKeysInOrder: wrap('list_keys', (...given) => store.listKeysInOrder(...given)),
    countListed: wrap('count_listed', (...given) => store.countListed(...given)),
    insertKey: wrap('insert_key', (...given) => store.insertKey(...given)),
    insertFirstKey: wrap('insert_first_key', (...given) => store.insertFirstKey(...given)),
    insertKeys: wrap('insert_keys', (...given) => store.insertKeys(...given)),
    replaceKey: wrap('replace_key', (...given) => store.replaceKey(...given)),
    replaceKeys: wrap('replace_keys', (...given) => store.replaceKeys(...given)),
    rotateKey: wrap('rotate_key', (...given) => store.rotateKey(...given)),
    replaceDigests: wrap('replace_digests', (changes) => store.replaceDigests(changes)),
    countDigests: wrap('count_digests', () => store.countDigests()),
    countKeys: wrap('count_keys', (now) => store.countKeys(now)),
    getOwner: byAsker(wrap, 'get_owner', (...given) => store.getOwner(...given)),
    getOwners: wrap('get_owners', (ids) => store.getOwners(ids)),
    listOwners: wrap('list_owners', (page) => store.listOwners(page)),
    putOwner: wrap('put_owner', (...given) => store.putOwner(...given)),
    getRole: byAsker(wrap, 'get_role', (...given) => store.getRole(...given)),
    listRoles: wrap('list_roles', (page) => store.listRoles(page)),
    putRole: wrap('put_role', (...given) => store.putRole(...given)),
    deleteRole: wrap('delete_role', (...given) => store.deleteRole(...given)),
    getPortalSession: wrap('get_portal_session', (id) => store.getPortalSession(id)),
    putPortalSession: wrap('put_portal_session', (...given) => store.putPortalSession(...given)),
    appendJournal: wrap('append_journal', (drafts) => store.appendJournal(drafts)),
    listJournal: wrap('list_journal', (filter, page) => store.listJournal(filter, page)),
    noteAddresses: wrap('note_addresses', (uses) => store.noteAddresses(uses)),
    listExpiring: wrap('list_expiring', (range, size) => store.listExpiring(range, size)),
    listIdle: wrap('list_idle', (...given) => store.listIdle(...given)),
    claimDuty: wrap('claim_duty', (...given) => store.claimDuty(...given)),
    recordDuty: wrap('record_duty', (...given) => store.recordDuty(...given)),
    listIdentityKeys: wrap('list_identity_keys', () => store.listIdentityKeys()),
    addIdentityKey: wrap('add_identity_key', (record) => store.addIdentityKey(record)),
    removeIdentityKeysBefore: wrap('remove_identity_keys_before', (generation) =>
      store.removeIdentityKeysBefore(generation),
    ),
    leaseUnits: wrap('lease_units', (request) => store.leaseUnits(request)),
    returnUnits: wrap('return_units', (returns) => store.returnUnits(returns)),
    chargeUnits: wrap('charge_units', (...given) => store.chargeUnits(...given)),
    countUnits: wrap('count_units', (windows) => store.countUnits(windows)),
    recordUsage: wrap('record_usage', (tallies) => store.recordUsage(tallies)),
    getUsage: wrap('get_usage', (key, since) => store.getUsage(key, since)),
    countUse: wrap('count_use', (...asked) => store.countUse(...asked)),
    watchUse: (listener) => store.watchUse(listener),
    sumUsage: wrap('sum_usage', (query) => store.sumUsage(query)),
    recordRequests: wrap('record_requests', (rows) => store.recordRequests(rows)),
    listRequests: wrap('list_requests', (...asked) => store.listRequests(...asked)),
    diagnose: wrap('diagnose', () => store.diagnose()),
    countReplicas: wrap('count_replicas', () => store.countReplicas()),
    listReplicas: wrap('list_replicas', () => store.listReplicas()),
    settle: wrap('settle', (commit) => store.settle(commit)),
  };
}
