import type { FleetOptions } from './fleet.ts';
import type { Mutant } from './mutant.ts';
import { quietOldPrimary } from './quiet-old-primary.ts';
import { fewAreMany, missedPages, relayedRevocations } from './relayed.ts';
import {
  cutOffReplica,
  oldPrimary,
  returnedReplica,
  type Scenario,
  stalledStream,
  stoppedReplica,
} from './scenarios.ts';

/** Found by the model, within so many schedules. */
export interface ModelMutant extends Mutant {
  readonly schedules: number;
  /** Default 1. Another where that one finds it late: whether a schedule finds it is asked, not which. */
  readonly seed?: number;
}

/** Found by the checker, in the history of a scenario. */
export interface FleetMutant extends Mutant {
  readonly scenario: Scenario;
  readonly fleet: FleetOptions;
}

const schedules = 20_000;

export const modelMutants: readonly ModelMutant[] = [
  {
    title: 'a read that was overtaken by a change is kept',
    file: 'src/cache/shared-reads.ts',
    find: 'if (last > began) continue;',
    replace: '',
    schedules,
  },
  {
    title: 'a caller joins a read that began before it, however old that is',
    file: 'src/cache/shared-reads.ts',
    find: 'if (wasFresh && isFresh()) return value;',
    replace: 'return value;',
    schedules,
    seed: 16,
  },
  {
    title: 'a caller joins a read that is over',
    file: 'src/cache/shared-reads.ts',
    find: '      reads.delete(name);\n',
    replace: '      void Promise.resolve().then(() => reads.delete(name));\n',
    schedules,
    seed: 44,
  },
  {
    title: 'memory answers after the lease',
    file: 'src/cache/keyring.ts',
    find: 'if (!feed.isFresh()) return undefined;',
    replace: '',
    schedules,
  },
  {
    title: "a digest stays nobody's when its key is made",
    file: 'src/cache/keyring.ts',
    find: '      dropMiss(digest);\n',
    replace: '',
    schedules,
  },
  {
    title: 'a changed key stays in memory',
    file: 'src/cache/keyring.ts',
    find: 'keys.forget(id);',
    replace: '',
    schedules,
  },
  {
    title: 'a miss is read with no regard to what was delivered',
    file: 'src/mongo/sessions.ts',
    find: 'if (latest !== null) session.advanceOperationTime(latest);',
    replace: '',
    schedules,
  },
  {
    title: 'a miss is read from whoever takes itself for the primary, with no lease',
    file: 'src/mongo/feed/latest.ts',
    find: 'const isBelieved = lease === null || isLeased;',
    replace: 'const isBelieved = true;',
    schedules,
  },
  {
    title: 'a miss counts though the lease ended while it was read',
    file: 'src/mongo/feed/latest.ts',
    find: "if (isLeased && !lease?.isHeld()) throw new StaleAnswer('the lease ended during a read');",
    replace: '',
    schedules,
  },
  {
    title: 'a key is unknown as soon as one read does not find it',
    file: 'src/mongo/feed/latest.ts',
    find: 'if (!isLeased || !isNothing(first)) return first;',
    replace: 'return first;',
    schedules,
  },
  {
    title: 'the lease counts from when a beat is seen',
    file: 'src/store/feed/lease.ts',
    find: 'heldSince = { monotonic: began.monotonic - lagMs, wall: began.wall - lagMs };',
    replace: 'heldSince = { monotonic: monotonic(), wall: now() };',
    schedules,
    seed: 3,
  },
  {
    title: 'the lease is renewed by a beat that is begun',
    file: 'src/store/feed/lease.ts',
    find: '      return lastBeat;\n',
    replace: '      heldSince = { monotonic: monotonic(), wall: now() };\n      return lastBeat;\n',
    schedules,
  },
];

const renewing = 'await ask((beat) => fleet.renew(beat)).catch(onError);';
const stalenessMaxMs = 3_000;
const patient = { stalenessMaxMs, electionTimeoutMs: 15_000 };

/** Two of them are relays. */
const relayed = { fleet: { ...patient, replicas: 4 }, besides: [fewAreMany] };

export const fleetMutants: readonly FleetMutant[] = [
  {
    title: 'a relay leaves out the first of what it hands on',
    file: 'src/mongo/feed/relaying.ts',
    find: 'const newsUpTo = (upTo: Timestamp) => heard.upTo(upTo);',
    replace: 'const newsUpTo = (upTo: Timestamp) => heard.upTo(upTo).slice(1);',
    scenario: relayedRevocations,
    ...relayed,
  },
  {
    title: 'a page of a relay is acknowledged before it is applied',
    file: 'src/mongo/feed/feed.ts',
    find: 'for (const one of told) apply(one);',
    replace: 'setTimeout(10_000).then(() => told.forEach(apply));',
    scenario: relayedRevocations,
    ...relayed,
  },
  {
    title: 'a page of a relay is taken though it begins later than what is known',
    file: 'src/mongo/feed/follow-relays.ts',
    find: 'if (page.from.greaterThan(at)) continue;',
    replace: '',
    scenario: missedPages,
    ...relayed,
  },
  {
    title: 'the lease is renewed by a read of whoever takes itself for the primary',
    file: 'src/mongo/sessions.ts',
    find: "readConcern: { level: 'linearizable' } });\n          const time",
    replace: "readConcern: { level: 'local' } });\n          const time",
    scenario: quietOldPrimary,
    fleet: { ...patient, electionTimeoutMs: 60_000 },
  },
  {
    title: 'the lease is renewed by a time that was asked for, whatever the answer',
    file: 'src/mongo/feed/renewal.ts',
    find: renewing,
    replace: `const beat = lease.begin();
      await fleet.renew(beat).catch(onError);
      lease.seen(beat);`,
    scenario: oldPrimary,
    fleet: patient,
  },
  {
    title: 'a miss is read from whoever takes itself for the primary',
    file: 'src/mongo/feed/latest.ts',
    find: 'const isBelieved = lease === null || isLeased;',
    replace: 'const isBelieved = true;',
    scenario: oldPrimary,
    fleet: patient,
  },
  {
    title: 'a key is unknown as soon as one read does not find it',
    file: 'src/mongo/feed/latest.ts',
    find: 'if (!isLeased || !isNothing(first)) return first;',
    replace: 'return first;',
    scenario: oldPrimary,
    fleet: patient,
  },
  {
    title: 'a change is judged by what an old primary says of the key',
    file: 'src/mongo/feed/latest.ts',
    find: 'sessions.read(async () => {\n      await catchUp();\n',
    replace: 'sessions.read(async () => {\n',
    scenario: oldPrimary,
    fleet: patient,
  },
  {
    title: 'the lease is renewed by a time that the stream has not reached',
    file: 'src/mongo/feed/renewal.ts',
    find: 'const proven = unproven.filter(({ time }) => reached?.greaterThanOrEqual(time));',
    replace: 'const proven = unproven;',
    scenario: stalledStream,
    fleet: patient,
  },
  {
    title: 'a change is acknowledged before it is applied',
    file: 'src/mongo/feed/renewal.ts',
    find: renewing,
    replace: `await ask((beat) => fleet.renew(beat)).then((time) => fleet.acknowledge(time)).catch(onError);`,
    scenario: stalledStream,
    fleet: patient,
  },
  {
    title: 'RevokeKey does not wait for the replica that answers it',
    file: 'src/mongo/feed/settlement.ts',
    find: 'if (!own.hasApplied(asked)) left = [...left, own.replicaId];',
    replace: '',
    scenario: stalledStream,
    fleet: patient,
  },
  {
    title: 'RevokeKey waits for nobody',
    file: 'src/mongo/feed/settlement.ts',
    find: 'if (left.length === 0) return',
    replace: 'if (left.length >= 0) return',
    scenario: cutOffReplica,
    fleet: patient,
  },
  {
    title: 'a replica is counted out long before its lease has run out',
    file: 'src/mongo/feed/watch-out.ts',
    find: 'const lapsedAt = monotonic() + stalenessMaxMs;',
    replace: 'const lapsedAt = monotonic() + stalenessMaxMs / 20;',
    scenario: cutOffReplica,
    fleet: patient,
  },
  {
    title: 'a replica that was counted out takes a lease without registering anew',
    file: 'src/mongo/feed/fleet.ts',
    find: 'const stands = found !== null && found.suspected === undefined && found.left >= leftMinMs;',
    replace: 'const stands = found !== null;',
    scenario: returnedReplica,
    fleet: patient,
  },
  {
    title: 'the lease does not run out',
    file: 'src/store/feed/lease.ts',
    find: 'isHeld: () => ageMs() < stalenessMaxMs,',
    replace: 'isHeld: () => heldSince !== null,',
    scenario: stoppedReplica,
    fleet: patient,
  },
];

/** The scenarios of relays with nothing broken, in which nothing may be found. */
export const soundFleets: readonly FleetMutant[] = [
  { title: 'nothing, where relays hand on revocations', scenario: relayedRevocations, ...sound() },
  { title: 'nothing, where pages of relays are missed', scenario: missedPages, ...sound() },
];

function sound(): Omit<FleetMutant, 'title' | 'scenario'> {
  return { ...fewAreMany, fleet: relayed.fleet };
}
