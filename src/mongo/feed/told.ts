import type { Timestamp } from 'mongodb';
import type { KeyId } from '../../keys/key.ts';
import type { Digest } from '../../keys/secret.ts';
import type { FeedSubscriber } from '../../store/feed/feed.ts';
import { keysName, metaName, ownersName, rolesName } from '../collections.ts';
import type { FeedEvent } from './events.ts';

/** What a change event tells, whoever reads it. */
export type Told =
  | readonly [kind: 'key', id: string, digest: string | null]
  | readonly [kind: 'owner' | 'role', id: string]
  /** Every replica is to say what it has applied. */
  | readonly [kind: 'ask']
  /** A replica was taken off the register. */
  | readonly [kind: 'gone', runId: string];

/** Throws for what a stream cannot go on after. Null where this replica has registered, which is nobody's news. */
export function toldOf(event: FeedEvent): Told | null {
  const { operationType, ns, documentKey, fullDocument, updateDescription } = event;
  if (!['insert', 'update', 'replace', 'delete'].includes(operationType)) {
    throw new Error(`the change stream reports "${operationType}" of what Postern keeps in MongoDB`);
  }
  const id = String(documentKey?._id);
  if (ns?.coll === keysName) {
    const digest = fullDocument?.digest ?? updateDescription?.updatedFields?.digest;
    return ['key', id, typeof digest === 'string' ? digest : null];
  }
  if (ns?.coll === ownersName) return ['owner', id];
  if (ns?.coll === rolesName) return ['role', id];
  if (ns?.coll === metaName) return ['ask'];
  return operationType === 'delete' ? ['gone', id] : null;
}

/** Tells a subscriber of a change of keys, owners or roles; everything else is the feed's own. */
export function tell(subscriber: FeedSubscriber, told: Told): void {
  if (told[0] === 'key') subscriber.onChange(told[1] as KeyId, told[2] as Digest | null);
  else if (told[0] === 'owner') subscriber.onOwnerChange(told[1]);
  else if (told[0] === 'role') subscriber.onRoleChange(told[1]);
}

/** What a relay has heard and not handed on yet. */
export interface Heard {
  note(told: Told, time: Timestamp): void;
  /** Everything that is not after this time. */
  upTo(time: Timestamp): readonly Told[];
  /** It was handed on: only what is after that time is kept. */
  handedOn(time: Timestamp): void;
  size(): number;
}

export function createHeard(): Heard {
  let events: { readonly told: Told; readonly time: Timestamp }[] = [];
  return {
    note(told, time) {
      events.push({ told, time });
    },
    upTo: (time) => events.flatMap((event) => (event.time.greaterThan(time) ? [] : [event.told])),
    handedOn(time) {
      events = events.filter((event) => event.time.greaterThan(time));
    },
    size: () => events.length,
  };
}
