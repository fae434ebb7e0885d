import type { Document, Timestamp } from 'mongodb';
import { until } from '../real/until.ts';
import type { Witness } from './checks/witness.ts';
import type { Fleet, FleetMember } from './fleet.ts';
import { denial, elect, instantOf, letsIn, makeKeys, mislead, replicasOf } from './scenarios.ts';

/**
 * The primary is cut off from the other members and does not know it yet, and nothing is written to it any more: what it
 * holds is then what a majority held, and what it says is as good as its change stream. Only a linearizable read, which
 * it cannot answer, shows that it is out of date. Wants an election timeout that is longer than all of it, and a first
 * service process that has answered no Check lately: it would write down what keys are used for. Where something is
 * written to the old primary after all, there is another round with new keys, up to `roundsMax` in all.
 */
export const quietOldPrimary = async (fleet: Fleet, witness: Witness, roundsMax = 5) => {
  const [misled, other] = replicasOf(fleet);
  for (let round = 1; ; round++) {
    const [revoked, kept] = await makeKeys(witness, other, 2);
    const old = await fleet.primary();
    await registerAnew(fleet, old, misled.name);
    await until('nothing is written any more', () => isQuiet(old), { deadlineMs: 120_000 });
    const end = mislead(fleet, witness, old);
    await elect(fleet, old);
    const revocation = await until('revoked', async () => {
      const done = await witness.change(other, 'revoke', revoked.id);
      return done.outcome === 'done' && done;
    });
    await until('it is in effect', () => witness.now() > instantOf(revocation) + 10);
    // Whatever a service happened to write meanwhile would hide what this is about.
    const written = await writtenAfter(old, await committed(old));
    const isHidden = written.length > 0 && round < roundsMax;
    const checks = isHidden
      ? []
      : [await witness.check(misled, revoked), await witness.check(misled, revoked)];
    const stillPrimary = (await old.command({ hello: 1 })).isWritablePrimary === true;
    fleet.network.healAll();
    end();
    if (isHidden) continue;
    await letsIn(witness, misled, kept);
    return { checks, stillPrimary, after: await denial(witness, misled, revoked) };
  }
};

/** A service that has just registered does not do so again for some time. */
async function registerAnew(fleet: Fleet, primary: FleetMember, replica: string): Promise<void> {
  const newest = { filter: { replica_id: replica }, sort: { expires_at: -1 }, limit: 1 } as const;
  const registered = async () =>
    first(await primary.command({ find: 'replicas', ...newest }, fleet.database));
  const before = await until(`${replica} is registered`, async () => (await registered()) ?? undefined);
  const u = [{ $set: { expires_at: { $add: ['$$NOW', 30_000] } } }];
  const updates = [{ q: { _id: before._id }, u }];
  await primary.command({ update: 'replicas', updates, writeConcern: { w: 'majority' } }, fleet.database);
  const isNewer = async () => Number((await registered())?.beaten_at) > Number(before.beaten_at);
  await until(`${replica} has registered anew`, isNewer);
}

/** Whether the last that was written is some time ago, and a majority has it. */
async function isQuiet(primary: FleetMember): Promise<boolean> {
  const last = await lastWritten(primary);
  if (last === undefined || Date.now() - Number(last.wall) < 500) return false;
  return (await committed(primary)).greaterThanOrEqual(last.ts);
}

/** A linearizable read leaves an entry too; of one that is answered by a majority alone. */
const isWrite = { 'o.msg': { $ne: 'linearizable read' } };

async function lastWritten(member: FleetMember): Promise<Document | undefined> {
  const newest = { find: 'oplog.rs', filter: isWrite, sort: { $natural: -1 }, limit: 1 };
  return first(await member.command(newest, 'local'));
}

async function writtenAfter(member: FleetMember, ts: Timestamp): Promise<Document[]> {
  const found = await member.command({ find: 'oplog.rs', filter: { ...isWrite, ts: { $gt: ts } } }, 'local');
  return found.cursor.firstBatch;
}

async function committed(member: FleetMember): Promise<Timestamp> {
  return (await member.command({ replSetGetStatus: 1 })).optimes.lastCommittedOpTime.ts;
}

function first(found: Document): Document | undefined {
  return found.cursor.firstBatch[0];
}
