import { type Db, type Document, type MongoClient, ReadConcern, type Timestamp } from 'mongodb';
import { error, type Finding, info, warning } from '../../store/diagnosis/finding.ts';

interface MemberStatus {
  readonly name: string;
  readonly stateStr: string;
  readonly health: number;
  readonly optimeDate?: Date;
}

const laggingMs = 10_000;

/** The states of the members of a replica set; nothing of a standalone server or a sharded cluster. */
export async function diagnoseMembers(admin: Db, isReplicated: boolean): Promise<Finding[]> {
  if (!isReplicated) return [];
  const hello = await admin.command({ hello: 1 }, { readPreference: 'primaryPreferred' });
  if (hello.msg === 'isdbgrid') return [];
  const status = await admin.command({ replSetGetStatus: 1 }, { readPreference: 'primaryPreferred' });
  const members = status.members as MemberStatus[];
  const arbiters = members.filter(({ stateStr }) => stateStr === 'ARBITER');
  const up = members.filter(
    (member) => member.health === 1 && /^(?:PRIMARY|SECONDARY)$/.test(member.stateStr),
  );
  const down = members.filter((member) => !up.includes(member) && !arbiters.includes(member));
  return [
    ...(members.length === 1 ? [single] : []),
    ...(arbiters.length > 0 ? [arbiter] : []),
    ...(down.length > 0 ? [membersDown(down, up.length, Number(status.writeMajorityCount))] : []),
    ...lagging(up),
  ];
}

const single = info(
  'store.single_member',
  'The replica set has one member: while it is away no key can be changed, and its loss is the loss of all keys.',
  'Add two more: rs.add("HOST:27017") in mongosh.',
);

const arbiter = warning(
  'store.arbiter',
  'The replica set has an arbiter, which keeps no data: with one data member down a majority of them may not be there, and no key can be changed.',
  'Replace it by a member with data: rs.remove("HOST:PORT"), rs.add("HOST:27017").',
);

function membersDown(down: readonly MemberStatus[], up: number, majority: number): Finding {
  const names = down
    .map(({ name, stateStr }) => `${name} is ${stateStr.replace(/[()]/g, '').toUpperCase()}`)
    .join(', ');
  const cure = `Bring it back; rs.status() in mongosh tells what it says of itself.`;
  if (up < majority) {
    const what = `${names}: no majority of the members is left, so no key can be changed, and soon none be answered for.`;
    return error('store.members', what, cure);
  }
  const what = up === majority ? `${names}: with one more down no key can be changed.` : `${names}.`;
  return warning('store.members', what, cure);
}

function lagging(up: readonly MemberStatus[]): Finding[] {
  const primary = up.find(({ stateStr }) => stateStr === 'PRIMARY')?.optimeDate?.getTime();
  if (primary === undefined) return [];
  return up
    .filter(({ optimeDate }) => optimeDate !== undefined && primary - optimeDate.getTime() > laggingMs)
    .map(({ name, optimeDate }) => {
      const behindS = Math.round((primary - (optimeDate?.getTime() ?? primary)) / 1_000);
      const what = `It is ${behindS} s behind the primary: a majority may be slow to take a change.`;
      return warning(
        'store.member_behind',
        what,
        'Look at its load, its disks and its network.',
        `member ${name}`,
      );
    });
}

const oplogHoursMin = 24;
/** Past this part of its size it holds as much history as it ever will. */
const fullFraction = 0.8;

/** Whether the oplog, once it is full, reaches back far enough for a change stream to go on after an outage. */
export async function diagnoseOplog(client: MongoClient, isReplicated: boolean): Promise<Finding[]> {
  if (!isReplicated) return [];
  const local = client.db('local', {
    readPreference: 'primaryPreferred',
    readConcern: new ReadConcern('local'),
  });
  const oplog = local.collection<{ ts: Timestamp }>('oplog.rs');
  const read = { projection: { ts: 1 } } as const;
  const end = async (order: 1 | -1) =>
    (await oplog.find({}, read).sort({ $natural: order }).limit(1).next())?.ts.getHighBits();
  const [first, last, stats] = await Promise.all([
    end(1),
    end(-1),
    oplog.aggregate<Document>([{ $collStats: { storageStats: {} } }]).next(),
  ]);
  if (first === undefined || last === undefined) return [];
  const { size, maxSize } = stats?.storageStats ?? {};
  const hours = (last - first) / 3_600;
  if (hours >= oplogHoursMin || Number(size) < fullFraction * Number(maxSize)) return [];
  const what = `The oplog reaches back ${hours.toFixed(1)} h: a member that is away for longer must be copied anew, and a replica of Postern forgets all it has in memory.`;
  const cure = `db.adminCommand({ replSetResizeOplog: 1, minRetentionHours: ${oplogHoursMin} }) in mongosh, on every member.`;
  return [warning('store.oplog_short', what, cure)];
}
