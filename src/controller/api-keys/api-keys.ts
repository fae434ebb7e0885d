import type { AdminApi } from '../admin.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { EventRecorder, Told } from '../cluster/events.ts';
import { apiKeyKind, type ClusterObject, type Secret } from '../cluster/objects.ts';
import { addFinalizer, removeFinalizer } from '../finalizer.ts';
import { Problem } from '../problem.ts';
import type { Reconciler } from '../reconciler.ts';
import { createCurrentKey, externalIdOf, statusKeyId } from './current-key.ts';
import { createHeldKeys, type HeldKey, type MadeKey } from './held-keys.ts';
import { createKeySecrets, isOurs, isUnmarked, keyIn } from './secrets.ts';
import { type ApiKeySpec, readApiKeySpec, uidLabel } from './spec.ts';

export interface ApiKeysOptions {
  readonly events: EventRecorder;
  /** Milliseconds, never set back. */
  readonly monotonic: () => number;
  /** Throws once this controller leads no more. */
  readonly requireLead: () => void;
}

/**
 * A key that was replaced lives so much longer than its grace until its successor is in the Secret: from then on it has
 * its grace, however long the API server was away.
 */
const handoverMs = 86_400_000;
/** Replaced keys that are looked at behind a current one. */
const replacedMax = 20;
/** Rotations of one look, where answers with secrets were lost. */
const rotationsMax = 5;
/** The part of a bounded life after which a key is replaced. */
const usedPart = 2 / 3;
/** The service's clock is known to a second, and times of keys are told to the second. */
const tickMs = 1_000;
/** Ids in one Event. */
const toldMax = 10;

/** Makes Postern's keys and the cluster's Secrets what ApiKeys ask for. */
export function createApiKeys(cluster: Cluster, admin: AdminApi, options: ApiKeysOptions): Reconciler {
  const { events, monotonic, requireLead } = options;
  const { now } = admin;
  const keys = createHeldKeys(admin);
  const secrets = createKeySecrets(cluster);
  const current = createCurrentKey(keys);
  /** Keys whose secret could not be written yet, by the ApiKey's uid: there is no other copy. */
  const unwritten = new Map<string, MadeKey>();
  /** When this process put a key into the Secret: no key is used for less than it is asked for, whatever any clock says. */
  const madeAt = new Map<string, { readonly keyId: string; readonly at: number }>();

  return {
    kind: apiKeyKind,
    async reconcile(object) {
      const { uid, namespace = '' } = object.metadata;
      const spec = readApiKeySpec(object);
      const found = await secrets.read(namespace, spec.secretName);
      const inSecret = found === null ? null : keyIn(found);
      if (found !== null && !isOurs(found, object) && !(await wasOurs(object, spec, inSecret))) {
        throw secretExists(spec);
      }
      await addFinalizer(cluster, apiKeyKind, object);

      const before = await current.find(object, spec);
      const held = before === null ? null : await current.putRight(object, spec, before);
      const presented = inSecret === null ? null : await keys.bySecret(inSecret);
      const isHeld = held !== null && presented?.id === held.id;
      let key: HeldKey;
      if (isHeld && dueInMs(uid, held, spec) > 0) {
        key = held;
        if (found !== null && isUnmarked(found, object)) await write(object, spec, found, inSecret ?? '');
      } else key = await handOver(object, spec, found, held);
      unwritten.delete(uid);
      // Whatever else somebody put into the Secret is not ours to end.
      const wasHeld = presented?.labels[uidLabel] === uid && presented.id !== key.id;
      if (wasHeld) await boundGrace(presented, spec);
      await boundReplaced(key, spec);

      const nextRotation = Math.min(usedUpAt(key, spec), livedUpAt(key));
      return {
        reason: 'KeyIssued',
        message: `The Secret ${spec.secretName} holds the key.`,
        inMs: Math.max(dueInMs(uid, key, spec), 0),
        about: [key.id],
        members: {
          keyId: key.id,
          key: `${key.prefix}…${key.last4}`,
          secretName: spec.secretName,
          issuedAt: timeText(key.created_at),
          nextRotationAt: nextRotation === Infinity ? null : timeText(nextRotation),
        },
      };
    },
    async end(object) {
      const { uid, namespace = '' } = object.metadata;
      const spec = (object.spec ?? {}) as { readonly owner?: string };
      const external = externalIdOf(object);
      const revoked: string[] = [];
      for await (const key of keys.ofOwner(spec.owner ?? namespace)) {
        if (key.labels[uidLabel] !== uid && key.external_id !== external) continue;
        await keys.revoke(key.id);
        revoked.push(key.id);
      }
      if (revoked.length > 0) await events.tell(apiKeyKind, object, revocation(revoked));
      unwritten.delete(uid);
      madeAt.delete(uid);
      await removeFinalizer(cluster, apiKeyKind, object);
    },
  };

  /** Whether a Secret that nothing marks any more was written here, and holds a key of this ApiKey. */
  async function wasOurs({ metadata, status }: ClusterObject, spec: ApiKeySpec, inSecret: string | null) {
    const { secretName } = (status ?? {}) as { readonly secretName?: string };
    if (secretName !== spec.secretName || inSecret === null) return false;
    return (await keys.bySecret(inSecret))?.labels[uidLabel] === metadata.uid;
  }

  /** Puts a key into the Secret that its holders do not have yet: a new one, or the successor of the one that is held. */
  async function handOver(
    object: ClusterObject,
    spec: ApiKeySpec,
    found: Secret | null,
    held: HeldKey | null,
  ): Promise<HeldKey> {
    const { uid } = object.metadata;
    // What the API server will not take is found out before there is a key that nobody has.
    await secrets.write(object, spec.secretName, found, 'dry run', true);
    requireLead();
    const kept = unwritten.get(uid);
    let made = kept !== undefined && kept.key.id === held?.id ? kept : null;
    if (made === null)
      made = held === null ? await current.make(object, spec) : await successor(uid, spec, held);
    // An earlier answer was lost, and its secret with it.
    for (let tries = 0; made.secret === null && tries < rotationsMax; tries++) {
      made = await successor(uid, spec, made.key);
    }
    if (made.secret === null)
      throw new Problem('SecretLost', 'the secret of the new key was lost; a newer follows');
    unwritten.set(uid, made);
    requireLead();
    await write(object, spec, found, made.secret);
    madeAt.set(uid, { keyId: made.key.id, at: monotonic() });
    await events.tell(apiKeyKind, object, handedOver(made.key, { spec, last: statusKeyId(object) }));
    return made.key;
  }

  async function successor(uid: string, { graceMs }: ApiKeySpec, held: HeldKey): Promise<MadeKey> {
    const lifeMs = held.expires_at === null ? null : held.expires_at - held.created_at;
    return await keys.rotate(held.id, {
      graceMs: graceMs + handoverMs,
      requestId: `${uid}/from/${held.id}`,
      lifeMs,
    });
  }

  async function write(object: ClusterObject, spec: ApiKeySpec, found: Secret | null, value: string) {
    await secrets.write(object, spec.secretName, found, value);
  }

  /** In how many milliseconds a key is to be replaced, not above 0 for now; Infinity for never. */
  function dueInMs(uid: string, key: HeldKey, spec: ApiKeySpec): number {
    const made = madeAt.get(uid);
    const leastMs = made?.keyId === key.id ? made.at + (spec.rotateEveryMs ?? Infinity) - monotonic() : 0;
    return Math.min(Math.max(usedUpAt(key, spec) - now(), leastMs), livedUpAt(key) - now());
  }

  /** Keys before this one have their grace from when it was in the Secret, and no longer. */
  async function boundReplaced({ rotated_from }: HeldKey, spec: ApiKeySpec): Promise<void> {
    let id = rotated_from;
    for (let count = 0; id !== null && count < replacedMax; count++) {
      const key = await keys.get(id);
      if (key === null || !(await boundGrace(key, spec))) return;
      id = key.rotated_from;
    }
  }

  /** Whether a key that is held no more lasted for longer than its grace. */
  async function boundGrace({ id, state, expires_at }: HeldKey, { graceMs }: ApiKeySpec): Promise<boolean> {
    const end = now() + tickMs + graceMs;
    if (state === 'revoked' || state === 'expired') return false;
    if (expires_at !== null && expires_at < end + 2 * tickMs) return false;
    await keys.endAt(id, end);
    return true;
  }
}

/** When a key was used for as long as it is to be, by the service's clock; Infinity for never. */
function usedUpAt({ created_at }: HeldKey, { rotateEveryMs }: ApiKeySpec): number {
  return created_at + (rotateEveryMs ?? Infinity);
}

/** When so much of its life is over that it is to be replaced; Infinity for never. */
function livedUpAt({ created_at, expires_at }: HeldKey): number {
  return expires_at === null ? Infinity : created_at + (expires_at - created_at) * usedPart;
}

function handedOver(key: HeldKey, { spec, last }: { spec: ApiKeySpec; last: string | null }): Told {
  const holds = `The Secret ${spec.secretName} holds ${key.id}`;
  if (key.rotated_from !== null) {
    const note = `${holds}, which replaced ${key.rotated_from}. The key before goes on for its grace period.`;
    return { type: 'Normal', reason: 'KeyRotated', action: 'Rotate', note };
  }
  const instead = last === null || last === key.id ? '' : `, made anew since ${last} has ended`;
  return { type: 'Normal', reason: 'KeyIssued', action: 'Issue', note: `${holds}${instead}.` };
}

function revocation(ids: readonly string[]): Told {
  const more = ids.length > toldMax ? ` and ${ids.length - toldMax} more` : '';
  const note = `Revoked with its ApiKey: ${ids.slice(0, toldMax).join(', ')}${more}.`;
  return { type: 'Normal', reason: 'KeyRevoked', action: 'Revoke', note };
}

function secretExists({ secretName }: ApiKeySpec): Problem {
  const message = `There is a Secret ${secretName} that was not made for this ApiKey. It stays as it is: name another, or delete it.`;
  return new Problem('SecretExists', message);
}

function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
