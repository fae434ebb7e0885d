import type { Db } from 'mongodb';
import { judgeSkew } from '../../store/diagnosis/clock-skew.ts';
import { error, type Finding, info, warning } from '../../store/diagnosis/finding.ts';
import type { Lease } from '../../store/feed/lease.ts';
import { replicasName } from '../collections.ts';
import { lifetimeOf } from '../feed/register.ts';

interface Registered {
  readonly replicaId: string;
  /** Since it last registered, by the server's clock; null for a replica of a version that does not say. */
  readonly silentMs: number | null;
  /** Whether all others have ceased to wait for it. */
  readonly isLapsed: boolean;
  readonly ageMs: number | null;
  /** By how much its clock was ahead of the server's when it last registered. */
  readonly aheadMs: number | null;
  readonly version: string | null;
}

/** Of more than this only so many are looked at. */
const replicasMax = 5_000;

/** The replicas that are registered: who is silent, whose clock is off, whose version is another. */
export async function diagnoseReplicas(
  database: Db,
  { stalenessMaxMs }: { readonly stalenessMaxMs: number },
): Promise<Finding[]> {
  const replicas = await registered(database);
  const silentMaxMs = lifetimeOf(stalenessMaxMs) / 2;
  const isSilent = ({ silentMs, isLapsed }: Registered) =>
    isLapsed || (silentMs !== null && silentMs > silentMaxMs);
  const alive = replicas.filter((replica) => !isSilent(replica));
  return [
    ...overview(alive),
    ...replicas.filter(isSilent).map(silent),
    ...alive.flatMap(clock),
    ...versions(alive),
    ...sharedIds(alive),
  ];
}

async function registered(database: Db): Promise<Registered[]> {
  const since = (from: string, to: string) => ({ $subtract: [to, from] });
  const projection = {
    ...{ _id: 0, replicaId: '$replica_id', version: { $ifNull: ['$version', null] } },
    silentMs: since('$beaten_at', '$$NOW'),
    isLapsed: { $ifNull: ['$lapsed', false] },
    ageMs: since('$started_at', '$$NOW'),
    aheadMs: since('$beaten_at', '$clock'),
  };
  return database.collection(replicasName).find<Registered>({}, { projection, limit: replicasMax }).toArray();
}

function overview(alive: readonly Registered[]): Finding[] {
  if (alive.length === 0) return [];
  const named = alive.slice(0, 20).map(({ replicaId, ageMs, version }) => {
    const more = [...(version === null ? [] : [version]), ...(ageMs === null ? [] : [`for ${age(ageMs)}`])];
    return more.length === 0 ? replicaId : `${replicaId} (${more.join(', ')})`;
  });
  const rest = alive.length > named.length ? [`and ${alive.length - named.length} more`] : [];
  const subject = alive.length === 1 ? '1 replica is' : `${alive.length} replicas are`;
  return [info('fleet.replicas', `${subject} registered: ${[...named, ...rest].join(', ')}.`, '')];
}

function silent({ replicaId, silentMs }: Registered): Finding {
  const what = `It has said nothing for ${age(silentMs ?? 0)}: it was killed, hangs, or cannot reach MongoDB, and answers nothing from memory. It is forgotten by itself.`;
  return warning(
    'fleet.silent',
    what,
    'If it should run, look at its log and its way to MongoDB.',
    `replica ${replicaId}`,
  );
}

function clock({ replicaId, aheadMs }: Registered): Finding[] {
  const subject = 'Its clock';
  const found = judgeSkew(aheadMs ?? 0, { code: 'clock.replica', subject, reference: "MongoDB's" });
  return found.map((finding) => ({ ...finding, where: `replica ${replicaId}` }));
}

function versions(alive: readonly Registered[]): Finding[] {
  const found = [...new Set(alive.map(({ version }) => version ?? 'one that does not say'))].toSorted();
  if (found.length < 2) return [];
  const what = `The replicas run different versions: ${found.join(', ')}.`;
  return [
    warning(
      'fleet.versions',
      what,
      'Finish the upgrade, or undo it: replicas of two versions are meant for its time alone.',
    ),
  ];
}

function sharedIds(alive: readonly Registered[]): Finding[] {
  const ids = alive.map(({ replicaId }) => replicaId);
  const shared = [...new Set(ids.filter((id, at) => ids.indexOf(id) !== at))];
  return shared.map((id) => {
    const what =
      'Two processes or more have this replica id: what is said of one cannot be told from the others.';
    return warning(
      'fleet.shared_id',
      what,
      'Give each a POSTERN_REPLICA_ID of its own, or none.',
      `replica ${id}`,
    );
  });
}

/** How far the feed of this replica lags, against the longest that it may. */
export function diagnoseLease(
  lease: Lease | null,
  { stalenessMaxMs }: { readonly stalenessMaxMs: number },
): Finding[] {
  if (lease === null) return [];
  const cure = 'Look at the log for errors of the store, and at the load of this process and of MongoDB.';
  if (!lease.isHeld()) {
    const what =
      'This replica has not heard from MongoDB within staleness_max: it answers nothing from memory.';
    return [error('fleet.lease_lost', what, cure)];
  }
  const ageMs = lease.ageMs();
  if (ageMs < (stalenessMaxMs * 2) / 3) return [];
  const what = `What this replica knows is ${age(ageMs)} old, of at most ${age(stalenessMaxMs)}: soon it answers nothing from memory.`;
  return [warning('fleet.feed_lag', what, cure)];
}

function age(ms: number): string {
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 2 * 3_600_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 48 * 3_600_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} d`;
}
