import type { AnyBulkWriteOperation, Collection, Db, Filter } from 'mongodb';
import type { KeyId } from '../../keys/key.ts';
import type { Reason } from '../../schemes/answer.ts';
import { createRequestCap, type RequestCapOptions } from '../../store/usage/request-cap.ts';
import {
  defaultRequestRetentionMs,
  minuteMs,
  type RequestDecision,
  type RequestFilter,
  type RequestPlace,
  type RequestStore,
  type StoredRequest,
} from '../../store/usage/request-log.ts';
import { requestsName } from '../collections.ts';
import type { Sessions } from '../sessions.ts';

/** Requests that are alike within one minute, in the collection `requests`. */
interface RequestDocument {
  /** The minute and the id of the row. */
  _id: string;
  row: string;
  at: Date;
  count: number;
  key_id: string | null;
  owner: string | null;
  method: string | null;
  host: string | null;
  path: string | null;
  address: string | null;
  decision: RequestDecision;
  reason: Reason | null;
  status: number;
  scheme: string;
  environment: string | null;
  /** A TTL index removes the document at this time. */
  purge_at: Date;
}

/** Rows in one write. */
const rowsAtOnce = 500;

export interface RequestCollectionOptions extends RequestCapOptions {
  readonly now: () => number;
}

export function createRequestCollection(
  database: Db,
  sessions: Sessions,
  options: RequestCollectionOptions,
): RequestStore {
  const { now, requestRetentionMs: retentionMs = defaultRequestRetentionMs } = options;
  const requests: Collection<RequestDocument> = database.collection(requestsName);
  const cap = createRequestCap(
    {
      // From the collection's own figures: it counts no documents.
      count: () => sessions.write((session) => requests.estimatedDocumentCount({ session })),
      // Ids begin with the minute. Whoever else looks at the same time removes the same.
      removeOldest: (size) =>
        sessions.write(async (session) => {
          const oldest = requests.find(
            {},
            { session, projection: { _id: 1 }, sort: { _id: 1 }, skip: size - 1, limit: 1 },
          );
          const last = await oldest.next();
          if (last === null) return 0;
          return (await requests.deleteMany({ _id: { $lte: last._id } }, { session })).deletedCount;
        }),
    },
    now,
    options,
  );

  return {
    async recordRequests(rows) {
      for (let start = 0; start < rows.length; start += rowsAtOnce) {
        const batch = rows.slice(start, start + rowsAtOnce).map((row) => addition(row, retentionMs));
        await sessions.write((session) => requests.bulkWrite(batch, { ordered: false, session }));
      }
      await cap.wrote(rows.length);
    },
    async listRequests(filter, { after, size }) {
      const documents = await sessions.read((read) =>
        requests.find(filterOf(filter, after), { ...read, sort: { at: -1, row: -1 }, limit: size }).toArray(),
      );
      return documents.map(toRequest);
    },
  };
}

function addition(request: StoredRequest, retentionMs: number): AnyBulkWriteOperation<RequestDocument> {
  const { id, at, count, key, ...rest } = request;
  const minute = at - (at % minuteMs);
  const update = {
    $inc: { count },
    $min: { at: new Date(at) },
    $setOnInsert: { row: id, key_id: key, ...rest, purge_at: new Date(minute + minuteMs + retentionMs) },
  };
  const filter = { _id: `${new Date(minute).toISOString().slice(0, 16)} ${id}` };
  return { updateOne: { filter, update, upsert: true } };
}

function filterOf(filter: RequestFilter, after: RequestPlace | null): Filter<RequestDocument> {
  const { key, owner, decision, reason, since, until } = filter;
  const conditions: Filter<RequestDocument>[] = [
    ...(key === undefined ? [] : [{ key_id: key }]),
    ...(owner === undefined ? [] : [{ owner }]),
    ...(decision === undefined ? [] : [{ decision }]),
    ...(reason === undefined ? [] : [{ reason }]),
    ...(since === undefined ? [] : [{ at: { $gte: new Date(since) } }]),
    ...(until === undefined ? [] : [{ at: { $lt: new Date(until) } }]),
  ];
  if (after !== null) {
    const at = new Date(after.at);
    conditions.push({ at: { $lte: at } }, { $or: [{ at: { $lt: at } }, { row: { $lt: after.id } }] });
  }
  return conditions.length === 0 ? {} : { $and: conditions };
}

function toRequest(document: RequestDocument): StoredRequest {
  const { row, at, count, key_id, owner, method, host, path, address } = document;
  const { decision, reason, status, scheme, environment } = document;
  return {
    ...{ id: row, at: at.getTime(), count, key: key_id as KeyId | null, owner, method, host, path, address },
    ...{ decision, reason, status, scheme, environment },
  };
}
