import type { Document, Timestamp } from 'mongodb';
import { keysName, metaName, ownersName, replicasName, rolesName } from '../collections.ts';
import { askId } from './fleet.ts';

/** What {@link pipeline} leaves of a change event, by https://www.mongodb.com/docs/manual/reference/change-events/. */
export interface FeedEvent {
  readonly operationType: string;
  readonly clusterTime?: Timestamp;
  readonly ns?: { readonly coll?: string };
  readonly documentKey?: { readonly _id: unknown };
  readonly fullDocument?: { readonly digest?: unknown };
  readonly updateDescription?: {
    readonly updatedFields?: { readonly digest?: unknown };
  };
}

/**
 * Keeps, at the server, every change of a key but its last use; what becomes of this replica's own document alone, or
 * each would read those of all; and whatever happens to the collections as wholes.
 */
export function pipeline(runId: string): Document[] {
  const ours = { $in: [keysName, ownersName, rolesName, replicasName] };
  return [
    {
      $match: {
        $or: [
          { 'ns.coll': keysName, operationType: { $in: ['insert', 'replace', 'delete'] } },
          { 'ns.coll': keysName, operationType: 'update', ...notOnlyLastUse },
          {
            'ns.coll': { $in: [ownersName, rolesName] },
            operationType: { $in: ['insert', 'update', 'replace', 'delete'] },
          },
          { 'ns.coll': replicasName, 'documentKey._id': runId },
          { 'ns.coll': metaName, 'documentKey._id': askId },
          { 'ns.coll': ours, operationType: { $in: ['drop', 'rename'] } },
          { 'to.coll': ours, operationType: 'rename' },
          { operationType: { $in: ['dropDatabase', 'invalidate'] } },
        ],
      },
    },
    {
      $project: {
        operationType: 1,
        clusterTime: 1,
        ns: 1,
        documentKey: 1,
        'fullDocument.digest': 1,
        'updateDescription.updatedFields.digest': 1,
      },
    },
  ];
}

const sizeOf = (array: unknown) => ({ $size: { $ifNull: [array, []] } });

/** True of an update that leaves `last_used_at` alone, or changes anything besides. */
const notOnlyLastUse = {
  $or: [
    { 'updateDescription.updatedFields.last_used_at': { $exists: false } },
    {
      $expr: {
        $gt: [
          {
            $add: [
              sizeOf({ $objectToArray: '$updateDescription.updatedFields' }),
              sizeOf('$updateDescription.removedFields'),
              sizeOf('$updateDescription.truncatedArrays'),
            ],
          },
          1,
        ],
      },
    },
  ],
};
