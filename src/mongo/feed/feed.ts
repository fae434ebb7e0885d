import { setTimeout } from 'node:timers/promises';
import type { ChangeStream, ChangeStreamOptions, Db, Document, Timestamp } from 'mongodb';
import type { FeedSubscriber } from '../../store/feed/feed.ts';
import type { Lease } from '../../store/feed/lease.ts';
import { StoreUnavailable } from '../../store/store.ts';
import { mongoError } from '../errors.ts';
import type { Sessions } from '../sessions.ts';
import { createAcknowledging } from './acknowledging.ts';
import { type FeedEvent, pipeline } from './events.ts';
import type { Fleet } from './fleet.ts';
import { followRelays } from './follow-relays.ts';
import type { RelayedPage } from './pages.ts';
import { justBefore, positionOf } from './position.ts';
import { createRelaying, type Relaying } from './relaying.ts';
import type { Relays } from './relays.ts';
import { createRenewal } from './renewal.ts';
import { createIsRelayed, relayedFromDefault, tickMsOf } from './tick.ts';
import { type Told, tell, toldOf } from './told.ts';

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
  readonly relays: Relays;
  readonly lease: Lease;
  readonly subscriber: FeedSubscriber;
  /** Makes the collections, which may have been dropped, before a stream begins anew. */
  readonly prepare: () => Promise<void>;
  readonly stalenessMaxMs: number;
  /** Replicas from which on relays read streams for the others. Default 21. */
  readonly relayedFrom?: number | undefined;
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
 * An outage loses nothing: the stream goes on after the last event, and the lease runs out meanwhile. Only where a stream cannot go on is the subscriber told of a gap.
 */
export function createChangeFeed(dependencies: ChangeFeedDependencies): ChangeFeed {
  const { database, sessions, fleet, relays, lease, subscriber, prepare } = dependencies;
  const { stalenessMaxMs, relayedFrom = relayedFromDefault, onError } = dependencies;
  const everyMs = stalenessMaxMs / renewalsPerLease;
  const stopping = new AbortController();
  const stopped = () => stopping.signal.aborted;
  const started = Promise.withResolvers<void>();
  const acknowledge = createAcknowledging({ fleet, subscriber, stopped, onError: failed });
  const renewal = createRenewal({ fleet, lease, everyMs, onError: failed });
  let stream: ChangeStream<Document, FeedEvent & Document> | null = null;
  let applied: Timestamp | null = null;
  /** Of this replica among the relays. */
  let place: number | null = null;
  const isRelayed = createIsRelayed(fleet, relayedFrom);

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
        point = await goOn(point, () => {
          tries = 0;
        });
      } catch (error) {
        tries++;
        const token = stream?.resumeToken;
        if (token !== undefined && token !== null) point = { resumeAfter: token };
        else if (applied !== null) point = { startAtOperationTime: applied };
        if (!isOutage(error) || (tries > resumeTriesMax && !lease.isHeld())) {
          point = null;
          if (!stopped()) breakOff();
        }
        failed(error);
        await stream?.close().catch(() => {});
        stream = null;
        await leavePlace();
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

  /** Follows in the manner that suits the fleet until another one does, and returns where to go on. */
  async function goOn(point: StartingPoint, onProgress: () => void): Promise<StartingPoint> {
    const from = applied ?? point.startAtOperationTime;
    if (from === undefined || !isRelayed()) return follow(point, null, onProgress);
    place = await followRelays(from, {
      ...{ relays, take, onProgress, pause, everyMs, size: fleet.size },
      tickMsOf: (isHurried) => Math.min(tickMsOf(fleet.size(), { relayedFrom, isHurried }), everyMs / 2),
      goesOn: () => !stopped() && isRelayed(),
    });
    const at = applied ?? from;
    if (place === null || stopped()) return follow({ startAtOperationTime: at }, null, onProgress);
    const begin = await relays.beginningFor(at);
    const relaying = createRelaying({ relays, place, from: begin, everyMs, size: fleet.size });
    return follow({ startAtOperationTime: begin }, relaying, onProgress);
  }

  /** Reads the stream until it is not for this replica to read it any more, and returns where to go on. */
  async function follow(
    point: StartingPoint,
    relaying: Relaying | null,
    onProgress: () => void,
  ): Promise<StartingPoint> {
    const maxAwaitTimeMS = isRelayed() ? awaitOnTickMs : Math.min(everyMs / 2, awaitMaxMs);
    const opened = database.watch<Document, FeedEvent & Document>(pipeline(fleet.runId), {
      ...point,
      maxAwaitTimeMS,
    });
    stream = opened;
    while (!stopped()) {
      const event = await opened.tryNext();
      // Of a cursor that has ended the driver says at once that there is nothing, however often it is asked.
      if (event === null && opened.closed && !stopped()) throw new Error('the change stream has ended');
      const position = positionOf(opened.resumeToken);
      const time = event === null ? null : positionOf(event._id);
      // Others of the same time may come after it: what one transaction has changed is an event each.
      const told = event === null ? position : justBefore(time);
      if (event !== null) deliver(event, time, relaying);
      if (told !== null) relaying?.reached(told);
      advance(position, told);
      onProgress();
      if (event !== null && relaying?.isFull() !== true) continue;
      const isOurs = (await relaying?.handOn(position)) ?? false;
      if (event !== null && isOurs) continue;
      // In a large fleet who is no relay has read all that was missing by now.
      if (relaying === null ? isRelayed() : !(isOurs && isRelayed())) break;
      await relaying?.pause(pause);
    }
    const { resumeToken } = opened;
    await opened.close();
    stream = null;
    if (relaying !== null) await leavePlace();
    return { resumeAfter: resumeToken };
  }

  async function leavePlace(): Promise<void> {
    const left = place;
    place = null;
    if (left !== null) await relays.giveBack(left).catch(failed);
  }

  /** Takes what a relay has heard as if this replica's own stream had told it. */
  function take({ upTo, seen, told }: RelayedPage): void {
    if (stopped()) return;
    for (const one of told) apply(one);
    advance(seen, upTo);
    if (told.some(([kind]) => kind === 'ask')) acknowledge(upTo);
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

  function deliver(event: FeedEvent, time: Timestamp | null, relaying: Relaying | null): void {
    if (stopped()) return;
    const told = toldOf(event);
    if (told !== null && time !== null) relaying?.note(told, time);
    if (told !== null) apply(told);
    // A mark is written by itself, and so is that this replica has registered: nothing else is of its time.
    if ((told !== null && told[0] !== 'ask') || time === null) return;
    advance(time, time);
    relaying?.reached(time);
    if (told !== null) acknowledge(time);
  }

  function apply(told: Told): void {
    tell(subscriber, told);
    // Whoever reads the register now does not wait for this replica.
    if (told[0] === 'gone' && told[1] === fleet.runId) breakOff();
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
      await leavePlace();
      await renewal.stop();
    },
    hasApplied: (time) => !lease.isHeld() || (applied?.greaterThanOrEqual(time) ?? false),
  };
}

/** Whether the same stream may go on once MongoDB can be asked again. */
function isOutage(error: unknown): boolean {
  return mongoError(error) instanceof StoreUnavailable;
}
