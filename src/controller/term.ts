import type { AdminApi } from './admin.ts';
import { createApiKeys } from './api-keys/api-keys.ts';
import { managedBy } from './api-keys/secrets.ts';
import { type Cluster, ClusterError } from './cluster/cluster.ts';
import { createEventRecorder } from './cluster/events.ts';
import {
  apiKeyKind,
  type ClusterObject,
  collectionPath,
  type Kind,
  nameOf,
  objectPath,
  ownerKind,
  roleKind,
  secretsPath,
} from './cluster/objects.ts';
import { createReflector, type Reflector } from './cluster/reflector.ts';
import { hasFinalizer } from './finalizer.ts';
import { createClaims, createOwners } from './owners.ts';
import { backoffMs, pause } from './pause.ts';
import { isRefusal, problemOf } from './problem.ts';
import type { Reconciler } from './reconciler.ts';
import { createRoles } from './roles.ts';
import { writeStatus } from './status.ts';
import { createSubjects, isOtherwise } from './subjects.ts';
import { createWorkQueue } from './work-queue.ts';

export interface ControllerLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
}

export interface TermOptions {
  /** Whose ApiKeys it looks after; null for all. */
  readonly namespace: string | null;
  /** What this controller is called. */
  readonly identity: string;
  readonly log: ControllerLog;
  /** What came of a look at one object of a kind. */
  readonly onLook: (kind: string, result: 'ok' | 'failed') => void;
  /** Milliseconds, never set back. */
  readonly monotonic: () => number;
  readonly onTrouble: (error: unknown) => void;
}

const workersMax = 4;
/** Everything is looked at so often, whatever was missed. */
const resyncMs = 600_000;
/** An admin API that is away for so long is said in every status. */
const awayMs = 10_000;
const retryMs = { first: 1_000, longest: 30_000 };

/** What a controller does from when it leads until it does no more; nothing of it is known in the next term. */
export function createTerm(cluster: Cluster, admin: AdminApi, options: TermOptions) {
  const { namespace, log, onLook, monotonic, onTrouble } = options;
  const subjects = createSubjects();
  const queue = createWorkQueue({
    workersMax,
    monotonic,
    work: lookAt,
    onFailure: (name, error) => log.warn({ object: name, ...problemOf(error) }, 'not as it is asked for'),
  });
  let term = new AbortController().signal;

  const events = createEventRecorder(cluster, {
    ...options,
    onTrouble: (error) => log.warn(problemOf(error), 'an Event could not be written'),
  });
  const reflectors = new Map<string, Reflector>();
  const ownerClaims = createClaims(() => objectsOf(ownerKind.plural));
  const owners = createOwners(admin, events, ownerClaims);
  const roleClaims = createClaims(() => objectsOf(roleKind.plural));
  const roles = createRoles(cluster, admin, { events, claims: roleClaims });
  const requireLead = () => term.throwIfAborted();
  const apiKeys = createApiKeys(cluster, admin, { events, monotonic, requireLead });
  const reconcilers = new Map<string, Reconciler>();
  for (const reconciler of [apiKeys, owners, roles]) follow(reconciler);
  reflectors.set('secrets', followSecrets());

  return {
    async run(signal: AbortSignal): Promise<void> {
      term = signal;
      await Promise.all([
        ...[...reflectors.values()].map((reflector) => reflector.run(signal)),
        queue.run(signal),
        followPostern(signal),
        resync(signal),
      ]);
    },
  };

  function objectsOf(plural: string): Iterable<ClusterObject> {
    return reflectors.get(plural)?.objects.values() ?? [];
  }

  function follow(reconciler: Reconciler): void {
    const { plural } = reconciler.kind;
    reconcilers.set(plural, reconciler);
    const onChange = (name: string, after: ClusterObject | null, before: ClusterObject | null) => {
      if (after === null) {
        queue.forget(`${plural}/${name}`);
        subjects.set(`${plural}/${name}`, []);
        // What stood in another's way does no more.
        for (const failed of queue.failing()) queue.add(failed);
      } else if (before === null || isOtherwise(before, after)) queue.add(`${plural}/${name}`);
    };
    const path = collectionPath(reconciler.kind, namespace);
    reflectors.set(plural, createReflector(cluster, { path, isMetadata: false, onChange, onTrouble }));
  }

  /** A Secret that is changed or gone is the matter of the ApiKey that it belongs to. */
  function followSecrets(): Reflector {
    const onChange = (_: string, after: ClusterObject | null, before: ClusterObject | null) => {
      const { metadata } = (after ?? before) as ClusterObject;
      for (const { kind, name } of metadata.ownerReferences ?? []) {
        const owner = `${metadata.namespace}/${name}`;
        if (kind === apiKeyKind.kind && reflectors.get(apiKeyKind.plural)?.objects.has(owner)) {
          queue.add(`${apiKeyKind.plural}/${owner}`);
        }
      }
    };
    const labelSelector = Object.entries(managedBy)
      .map(([name, value]) => `${name}=${value}`)
      .join(',');
    // One that was deleted before it was ever seen.
    const onListed = () => {
      for (const object of objectsOf(apiKeyKind.plural)) {
        const { secretName } = (object.status ?? {}) as { readonly secretName?: string };
        const isThere = followed.objects.has(`${object.metadata.namespace}/${secretName}`);
        if (secretName !== undefined && !isThere) queue.add(`${apiKeyKind.plural}/${nameOf(object)}`);
      }
    };
    const path = secretsPath(namespace);
    const followed = createReflector(cluster, {
      path,
      labelSelector,
      isMetadata: true,
      onChange,
      onListed,
      onTrouble,
    });
    return followed;
  }

  async function lookAt(work: string): Promise<number> {
    const plural = work.slice(0, work.indexOf('/'));
    const reconciler = reconcilers.get(plural);
    if (reconciler === undefined) return Infinity;
    const object = await read(reconciler, work.slice(plural.length + 1));
    if (object === null) return Infinity;
    const isDeleted = object.metadata.deletionTimestamp !== undefined;
    try {
      if (isDeleted) {
        if (hasFinalizer(object)) await reconciler.end(object);
        log.info({ object: work }, 'ended');
        return Infinity;
      }
      const { inMs, about, ...verdict } = await reconciler.reconcile(object);
      subjects.set(work, about);
      await writeStatus(cluster, reconciler.kind, object, { isReady: true, ...verdict });
      onLook(reconciler.kind.kind, 'ok');
      return inMs;
    } catch (error) {
      term.throwIfAborted();
      onLook(reconciler.kind.kind, 'failed');
      await tellFailure(reconciler.kind, object, error);
      throw error;
    }
  }

  async function tellFailure(kind: Kind, object: ClusterObject, error: unknown): Promise<void> {
    const problem = problemOf(error);
    await writeStatus(cluster, kind, object, { isReady: false, ...problem }).catch(onTrouble);
    if (!isRefusal(error)) return;
    const { reason, message: note } = problem;
    await events.tell(kind, object, { type: 'Warning', reason, action: 'Reconcile', note });
  }

  /** As it is now: what was told a moment ago may be about an object of another uid. */
  async function read({ kind }: Reconciler, name: string): Promise<ClusterObject | null> {
    try {
      return (await cluster.call('GET', objectPath(kind, name))) as ClusterObject;
    } catch (error) {
      if (error instanceof ClusterError && error.status === 404) return null;
      throw error;
    }
  }

  /** What others change in Postern is put right at once. */
  async function followPostern(signal: AbortSignal): Promise<void> {
    let awaySince: number | null = null;
    for (let failures = 0; !signal.aborted; ) {
      try {
        for await (const { type, target } of admin.changes(signal)) {
          // Whatever was missed meanwhile; the first sign of life says that the connection is there.
          if (awaySince !== null) lookAtAll();
          [failures, awaySince] = [0, null];
          const name = target === null ? undefined : subjects.workOf(target);
          if (name !== undefined) queue.add(name);
          // What waits for it may go on.
          if (/^(?:owner|role)\./.test(type)) for (const failed of queue.failing()) queue.add(failed);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (failures === 0) log.warn(problemOf(error), 'the admin API cannot be followed');
      }
      if (signal.aborted) return;
      failures++;
      awaySince ??= monotonic();
      const before = monotonic() - awaySince;
      await pause(backoffMs(failures, retryMs), signal);
      // Once: each then tries again by itself.
      if (before < awayMs && monotonic() - awaySince >= awayMs) lookAtAll();
    }
  }

  async function resync(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(resyncMs, signal);
      lookAtAll();
    }
  }

  function lookAtAll(): void {
    for (const { plural } of [roleKind, ownerKind, apiKeyKind]) {
      for (const object of objectsOf(plural)) queue.add(`${plural}/${nameOf(object)}`);
    }
  }
}
