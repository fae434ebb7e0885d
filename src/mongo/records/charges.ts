import type { ClientSession, Collection, Db } from 'mongodb';
import {
  type ChargeOnce,
  chargeRetentionMs,
  OtherCharge,
  type UnitCharge,
  type UnitCount,
  type UnitStore,
} from '../../store/units.ts';
import { chargesName, limitsName } from '../collections.ts';
import { type Sessions, withinDeadline } from '../sessions.ts';
import type { Transactions } from '../transactions.ts';
import { carriedInto, type LimitDocument, purgeAtOf, windowId, withCarried } from './limits.ts';

/** A charge that was named, in the collection `charges`. */
interface ChargeDocument {
  _id: string;
  body: string;
  purge_at: Date;
}

export interface ChargeDependencies {
  readonly database: Db;
  readonly sessions: Sessions;
  /** Null on a standalone server, where a charge of several windows, or with an id, may be counted in part. */
  readonly transactions: Transactions | null;
  readonly timeoutMs: number;
}

/** Units that were spent without a lease, of the windows in the collection `limits`. */
export function createCharges(dependencies: ChargeDependencies): UnitStore['chargeUnits'] {
  const { database, sessions, transactions, timeoutMs } = dependencies;
  const limits: Collection<LimitDocument> = database.collection(limitsName);
  const charges: Collection<ChargeDocument> = database.collection(chargesName);

  return (asked, once) => {
    const work = (session: ClientSession) => chargeAll(asked, once, session);
    if (transactions === null || (asked.length === 1 && once === null))
      return sessions.write(work, { timeoutMs });
    return withinDeadline(timeoutMs, (signal) => transactions.run(signal, work));
  };

  async function chargeAll(
    asked: readonly UnitCharge[],
    once: ChargeOnce | null,
    session: ClientSession,
  ): Promise<UnitCount[]> {
    const isRepeat = once !== null && (await isKnown(once, session));
    const counts: UnitCount[] = [];
    // One after another: two may be of one window.
    for (const charge of asked)
      counts.push(await (isRepeat ? look(charge, session) : chargeOne(charge, session)));
    return counts;
  }

  /** Remembers it where it was not known. */
  async function isKnown({ id, body, at }: ChargeOnce, session: ClientSession): Promise<boolean> {
    const made = { body, purge_at: new Date(at + chargeRetentionMs) };
    const known = await charges.findOneAndUpdate(
      { _id: id },
      { $setOnInsert: made },
      { upsert: true, returnDocument: 'before', session },
    );
    if (known === null) return false;
    if (known.body !== body) throw new OtherCharge();
    return true;
  }

  async function look(charge: UnitCharge, session: ClientSession): Promise<UnitCount> {
    const document = await limits.findOne({ _id: windowId(charge) }, { session });
    const count = withCarried(document?.leased ?? 0, await carriedInto(limits, charge, { session }));
    return { before: count, after: count };
  }

  async function chargeOne(charge: UnitCharge, session: ClientSession): Promise<UnitCount> {
    const carried = await carriedInto(limits, charge, { session });
    const document = await limits.findOneAndUpdate({ _id: windowId(charge) }, charging(charge, carried), {
      ...{ upsert: true, returnDocument: 'after', session },
    });
    return { before: document?.before ?? 0, after: document?.leased ?? 0 };
  }
}

function charging(charge: UnitCharge, carried: number) {
  const { units, countMin } = charge;
  const own = { $ifNull: ['$leased', 0] };
  const before = carried > 0 ? { $max: [own, carried] } : own;
  const sum = { $add: ['$before', units] };
  const after = units >= 0 || countMin === null ? sum : { $max: [sum, { $min: ['$before', countMin] }] };
  return [
    {
      $set: { before, is_charged: true, purge_at: purgeAtOf(charge), granted: { $ifNull: ['$granted', 0] } },
    },
    { $set: { leased: after } },
  ];
}
