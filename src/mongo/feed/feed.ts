import { setTimeout } from 'node:timers/promises';
import type { ChangeStream, ChangeStreamOptions, Db, Document, Timestamp } from 'mongodb';
import type { KeyId } from '../../keys/key.ts';
import type { Digest } from '../../keys/secret.ts';
import type { FeedSubscriber } from '../../store/feed.ts';
import type { Lease } from '../../store/lease.ts';
import { StoreUnavailable } from '../../store/store.ts';
import { keysName, metaName, ownersName, rolesName } from '../collections.ts';
import { mongoError } from '../errors.ts';
import type { Sessions } from '../sessions.ts';
import { type FeedEvent, pipeline } from './events.ts';
import type { Fleet } from './fleet.ts';
import { justBefore, positionOf } from './position.ts';
import { createRenewal } from './renewal.ts';
import { tickMsOf } from './tick.ts';

export interface ChangeFeed {
  /** Resolves when memory may answer for the first time; rejects with what went wrong before. */
  start(): Promise<void>;
  /** Ends the lease and all deliveries at once; no renewal is under way when it resolves. */
  stop(): Promise<void>;
  /** Whether everything up to this cluster time has been delivered, or memory may not answer at all. */
  hasApplied(time: Timestamp): boolean;
}

export interface ChangeFeedDependencies {
  readonly database: Db;
  readonly sessions: Sessions;
  readonly fleet: Fleet;
  readonly lease: Lease;
  readonly subscriber: FeedSubscriber;
  /** Makes the collections, which may have been dropped, before a stream begins anew. */
  readonly prepare: () => Promise<void>;
  readonly stalenessMaxMs: number;
  /** The stream or a renewal failed, and will be tried again. */
  readonly onError: (error: unknown) => void;
}

/** Where a stream begins: at a time that the server gave, or after what was delivered last. */
type StartingPoint = Pick<ChangeStreamOptions, 'startAtOperationTime' | 'resumeAfter'>;

/** Renewals in the time for which one lets memory answer: a few may be lost or late. */
export const renewalsPerLease = 5;
/** How often a stream is resumed in vain, once the lease has run out, before it begins anew. */
const resumeTriesMax = 10;
const retryMinMs = 50;
const awaitMaxMs = 1_000;
/** The least that a server takes; 0 would mean its own second. */
const awaitOnTickMs = 1;

/**
 * Follows the changes of keys on one change stream, and renews the lease by how far that stream has told of everything.
 * An outage loses nothing: the stream goes on after the last event that was delivered, and the lease
 * runs out by itself meanwhile. Only where a stream cannot go on is the subscriber told of a gap.
 */
export function createChangeFeed(dependencies: ChangeFeedDependencies): ChangeFeed {
  const { database, sessions, fleet, lease, subscriber, prepare, stalenessMaxMs, onError } = dependencies;
  const everyMs = stalenessMaxMs / renewalsPerLease;
  const stopping = new AbortController();
  const started = Promise.withResolvers<void>();
  const renewal = createRenewal({ fleet, lease, everyMs, onError: failed });
  let stream: ChangeStream<Document, FeedEvent & Document> | null = null;
  let applied: Timestamp | null = null;
  /** What is to be acknowledged, or is being. */
  let unsaid: Timestamp | null = null;

  const stopped = () => stopping.signal.aborted;
  /** Ends early, and without an error, when the feed stops. */
  const pause = (ms: number) =>
    setTimeout(ms, undefined, { signal: stopping.signal, ref: false }).catch(() => {});

  function failed(error: unknown): void {
    if (stopped()) return;
    started.reject(error);
    onError(error);
  }

  async function keepFollowing(): Promise<void> {
    let point: StartingPoint | null = null;
    let tries = 0;
    while (!stopped()) {
      try {
        point ??= await beginAnew();
        point = await follow(point, () => {
          tries = 0;
        });
      } catch (error) {
        tries++;
        const token = stream?.resumeToken;
        if (token !== undefined && token !== null) point = { resumeAfter: token };
        if (!isOutage(error) || (tries > resumeTriesMax && !lease.isHeld())) {
          point = null;
          if (!stopped()) breakOff();
        }
        failed(error);
        await stream?.close().catch(() => {});
        stream = null;
        // Jitter, so that a fleet does not come back in step.
        await pause(Math.min(everyMs, retryMinMs * 2 ** tries) * (0.5 + Math.random() / 2));
      }
    }
  }

  /** Nothing that is remembered may be used, nor a time that was asked for so far. */
  function breakOff(): void {
    renewal.breakOff();
    applied = null;
    subscriber.onGap();
  }

  /** Fixes a time, and has everything forgotten that is older: what comes later the stream will deliver. */
  async function beginAnew(): Promise<StartingPoint> {
    renewal.breakOff();
    await prepare();
    const startAtOperationTime = await renewal.register();
    subscriber.onGap();
    // Nothing is remembered: whatever is older has been applied.
    acknowledge(startAtOperationTime);
    renewal.start();
    return { startAtOperationTime };
  }

  /** Reads until the stream is to be read in another manner, and returns where to go on. */
  async function follow(point: StartingPoint, onProgress: () => void): Promise<StartingPoint> {
    let tickMs = tickMsOf(fleet.size());
    const maxAwaitTimeMS = tickMs === 0 ? Math.min(everyMs / 2, awaitMaxMs) : awaitOnTickMs;
    const opened = database.watch<Document, FeedEvent & Document>(pipeline(fleet.runId), {
      ...point,
      maxAwaitTimeMS,
    });
    stream = opened;
    // Replicas that began at the same moment do not read at the same moment.
    await pause(tickMs * Math.random());
    while (!stopped()) {
      const event = await opened.tryNext();
      // Of a cursor that has ended the driver says at once that there is nothing, however often it is asked.
      if (event === null && opened.closed && !stopped()) throw new Error('the change stream has ended');
      const position = positionOf(opened.resumeToken);
      if (event !== null) deliver(event);
      // Others of the same time may come after it: what one transaction has changed is an event each.
      advance(position, event === null ? position : justBefore(positionOf(event._id)));
      onProgress();
      if (event !== null) continue;
      const isWaiting = tickMs === 0;
      tickMs = Math.min(tickMsOf(fleet.size()), everyMs / 2);
      if (isWaiting !== (tickMs === 0)) {
        await opened.close();
        return { resumeAfter: opened.resumeToken };
      }
      if (tickMs > 0) await pause(tickMs);
    }
    return { resumeAfter: opened.resumeToken };
  }

  /** Reads of this process are from then on no older than `seen`; memory knows all up to `told`. */
  function advance(seen: Timestamp | null, told: Timestamp | null): void {
    if (stopped()) return;
    if (seen !== null) sessions.advance(seen);
    if (told === null) return;
    if (applied === null || told.greaterThan(applied)) applied = told;
    renewal.advance(applied);
    if (lease.isHeld()) started.resolve();
  }

  /** One write at a time, for the latest that was asked; what fails is made up for when this replica registers again. */
  function acknowledge(upTo: Timestamp): void {
    const isUnderWay = unsaid !== null;
    unsaid = upTo;
    if (!isUnderWay) void sayApplied();
  }

  async function sayApplied(): Promise<void> {
    while (unsaid !== null && !stopped()) {
      const upTo = unsaid;
      await subscriber.applied?.();
      await fleet.acknowledge(upTo).catch(failed);
      if (unsaid === upTo) unsaid = null;
    }
  }

  function deliver(event: FeedEvent): void {
    if (stopped()) return;
    const { operationType, ns, documentKey, fullDocument, updateDescription, clusterTime } = event;
    if (!['insert', 'update', 'replace', 'delete'].includes(operationType)) {
      throw new Error(`the change stream reports "${operationType}" of what Postern keeps in MongoDB`);
    }
    if (ns?.coll === keysName) {
      const digest = fullDocument?.digest ?? updateDescription?.updatedFields?.digest;
      subscriber.onChange(
        String(documentKey?._id) as KeyId,
        typeof digest === 'string' ? (digest as Digest) : null,
      );
    } else if (ns?.coll === ownersName) {
      subscriber.onOwnerChange(String(documentKey?._id));
    } else if (ns?.coll === rolesName) {
      subscriber.onRoleChange(String(documentKey?._id));
    } else if (ns?.coll === metaName) {
      // A mark is written by itself: nothing else is of its time.
      if (clusterTime === undefined) return;
      advance(clusterTime, clusterTime);
      acknowledge(clusterTime);
    } else if (operationType === 'delete') {
      // Whoever reads the register now does not wait for this replica.
      breakOff();
    }
  }

  return {
    start() {
      void keepFollowing();
      return started.promise;
    },
    async stop() {
      stopping.abort();
      lease.end();
      // Not waited for: it would ask a server that may be gone.
      stream?.close().catch(() => {});
      await renewal.stop();
    },
    hasApplied: (time) => !lease.isHeld() || (applied?.greaterThanOrEqual(time) ?? false),
  };
}

/** Whether the same stream may go on once MongoDB can be asked again. */
function isOutage(error: unknown): boolean {
  return mongoError(error) instanceof StoreUnavailable;
}
