import type { ClientSession, Collection, Db } from 'mongodb';
import { DuplicateKey } from '../../store/store.ts';
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
import { inTransaction } from '../transaction.ts';
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
  /** Not on a standalone server, where a charge of several windows, or with an id, may be counted in part. */
  readonly hasTransactions: boolean;
  readonly timeoutMs: number;
}

const triesMax = 5;

/** Units that were spent without a lease, of the windows in the collection `limits`. */
export function createCharges(dependencies: ChargeDependencies): UnitStore['chargeUnits'] {
  const { database, sessions, hasTransactions, timeoutMs } = dependencies;
  const { writeConcern = {} } = database;
  const limits: Collection<LimitDocument> = database.collection(limitsName);
  const charges: Collection<ChargeDocument> = database.collection(chargesName);

  return async (asked, once) => {
    for (let tries = 1; ; tries++) {
      try {
        return await chargeOnce(asked, once);
      } catch (error) {
        // Another was faster to make the window, or the id, and this one has counted nothing.
        if (!(error instanceof DuplicateKey) || tries === triesMax) throw error;
      }
    }
  };

  function chargeOnce(asked: readonly UnitCharge[], once: ChargeOnce | null): Promise<readonly UnitCount[]> {
    const work = (session: ClientSession) => chargeAll(asked, once, session);
    if (!hasTransactions || (asked.length === 1 && once === null)) return sessions.write(work, { timeoutMs });
    // Beside the changes of keys, which wait for each other: a transaction of their own.
    return withinDeadline(timeoutMs, (signal) => {
      const options = { signal, writeConcern, onBlocked: async () => {} };
      return sessions.write((session) => inTransaction(session, options, () => work(session)), { timeoutMs });
    });
  }

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
