import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Registry } from '../../changes/registry.ts';
import { createEventDelivery, type EventDeliveryDependencies } from '../../events/event-delivery.ts';
import type { KeyEvent } from '../../events/events.ts';
import { createExpiryNotices } from '../../events/expiry-notices.ts';
import { createFailureNotices } from '../../events/failure-notices.ts';
import type { JournalTail } from '../../events/journal-tail.ts';
import { createLimitNotices } from '../../events/limit-notices.ts';
import {
  createUnusedKeys,
  type UnusedKeySettings,
  type UnusedKeysDependencies,
} from '../../events/unused-keys.ts';
import { createUseNotices } from '../../events/use-notices.ts';
import { createVolumeNotices } from '../../events/volume-notices.ts';
import { createWebhook, type Send } from '../../events/webhook.ts';
import type { LimitNews } from '../../limits/news.ts';
import type { Reason } from '../../schemes/answer.ts';
import type { Config } from '../../settings/config.ts';
import type { Store } from '../../store/store.ts';
import type { Logger } from '../../telemetry/log.ts';
import { type RepeatedWork, repeatWork } from '../../time/repeated-work.ts';
import { untilAborted } from '../../time/until-aborted.ts';

const expiryRoundMs = 60_000;
/** A quarter of the shortest time that counts, within these. */
const unusedRoundMs = { min: 1_000, max: 60_000 };
const failureRoundMs = 1_000;
const manyRoundMs = 5_000;
const volumeRoundMs = 5_000;

/** What an operator is told of, as it is noticed and sent. */
export interface Events {
  /** The same store, with notices taken from what is written of the use of keys. */
  readonly usageStore: Pick<Store, 'recordUsage'>;
  /** Costs no wait. */
  countFailures(reason: Reason, address: string, times: number): void;
  /** Costs no wait. */
  noteLimit(news: LimitNews): void;
  start(): void;
  /** Goes on by these settings. */
  apply(config: Pick<Config, 'unusedKeys'>): void;
  /** Ends deliveries, and leaves what they have not told to others, or to the next start. */
  stop(): Promise<void>;
  /** Writes what is left to tell once nothing is used any more; what is not written when the signal is aborted is dropped. */
  end(signal: AbortSignal): Promise<void>;
}

export interface EventsDependencies {
  readonly config: Pick<Config, 'events' | 'replicaId' | 'unusedKeys' | 'usageFlushMs' | 'adminScheme'>;
  readonly registry: Pick<Registry, 'disableIdle'>;
  readonly countUnused: UnusedKeysDependencies['count'];
  readonly log: Logger;
  readonly store: Store;
  readonly tail: JournalTail;
  readonly now: () => number;
  readonly monotonic: () => number;
}

export function createEvents(dependencies: EventsDependencies): Events {
  const { config, log, store, tail, now, monotonic } = dependencies;
  // One that comes back under its name goes on with its duties at once.
  const holder = config.replicaId ?? randomUUID();
  const onError = (error: unknown) => log.warn({ err: error }, 'what is to be told could not be noticed yet');
  const onDropped = (tallies: number) =>
    log.warn({ tallies }, 'the use of keys was not looked at for what is to be told: there was no time');
  const useNotices = createUseNotices({ store, now, onError, onDropped });
  const failures = createFailureNotices({ store, now }, config.events.manyFailures);
  const limits = createLimitNotices({ store, now });
  const volumes = createVolumeNotices({ store, now });
  const unused = createUnusedWork(dependencies, holder, onError);
  const rounds = [
    unused,
    repeatWork(createExpiryNotices({ store, holder, now }), onError, { everyMs: expiryRoundMs }),
    repeatWork(() => failures.flush(), onError, { everyMs: failureRoundMs }),
    repeatWork(() => limits.flush(), onError, { everyMs: failureRoundMs }),
    repeatWork(() => volumes.look(), onError, { everyMs: volumeRoundMs }),
    repeatWork(useNotices.tellMany, onError, { everyMs: manyRoundMs }),
  ];
  const { types } = config.events;
  const delivering = { store, tail, holder, random: Math.random, monotonic };
  const deliveries = sendersOf(config, log, now).map(({ duty, send }) =>
    createEventDelivery({ ...delivering, send, ...told(duty, log) }, { duty, types }),
  );

  return {
    usageStore: {
      async recordUsage(tallies) {
        await store.recordUsage(tallies);
        // Use is not written later for what is to be told of it.
        void useNotices.note(tallies);
      },
    },
    countFailures: (reason, address, times) => failures.count(reason, address, now(), times),
    noteLimit: limits.note,
    start() {
      store.watchUse(volumes.note);
      for (const each of [...rounds, ...deliveries]) each.start();
    },
    apply: ({ unusedKeys }) => unused.apply(unusedKeys),
    async stop() {
      await Promise.all([...rounds, ...deliveries].map((each) => each.stop()));
    },
    async end(signal) {
      const failuresTold = untilAborted(signal, failures.flush(true).catch(onError));
      const limitsTold = untilAborted(signal, limits.flush(true).catch(onError));
      const volumesTold = untilAborted(signal, volumes.look(true).catch(onError));
      await Promise.all([useNotices.stop(signal), failuresTold, limitsTold, volumesTold]);
    },
  };
}

/** Looks for keys that nobody uses, by the settings that hold. */
function createUnusedWork(
  { config, store, registry, countUnused, now }: EventsDependencies,
  holder: string,
  onError: (error: unknown) => void,
): RepeatedWork & { apply(settings: UnusedKeySettings): void } {
  const known = { store, holder, now, adminScheme: config.adminScheme.name };
  const done = { disable: registry.disableIdle, count: countUnused };
  let settings = config.unusedKeys;
  let work = workBy(settings);
  let isStarted = false;
  let replaced: Promise<void> = Promise.resolve();

  return {
    start() {
      isStarted = true;
      work?.start();
    },
    async stop() {
      isStarted = false;
      await replaced;
      await work?.stop();
    },
    apply(next) {
      if (isDeepStrictEqual(next, settings)) return;
      settings = next;
      replaced = replaced.then(replace);
    },
  };

  async function replace(): Promise<void> {
    await work?.stop();
    work = workBy(settings);
    if (isStarted) work?.start();
  }

  /** Null where nothing becomes of such keys. */
  function workBy(by: UnusedKeySettings): RepeatedWork | null {
    const afters = [by.notifyAfterMs, by.disableAfterMs].filter((after) => after !== null);
    if (afters.length === 0) return null;
    const everyMs = Math.min(unusedRoundMs.max, Math.max(unusedRoundMs.min, Math.min(...afters) / 4));
    // A use is written within two intervals.
    const options = { ...by, usageLagMs: 2 * config.usageFlushMs };
    return repeatWork(createUnusedKeys({ ...known, ...done }, options), onError, { everyMs });
  }
}

function sendersOf(
  { events }: Pick<Config, 'events'>,
  log: Logger,
  now: () => number,
): { readonly duty: string; readonly send: Send }[] {
  const senders = [];
  if (events.log) senders.push({ duty: 'event-log', send: createLogSend(log) });
  if (events.webhook !== null) {
    senders.push({ duty: 'webhook', send: createWebhook({ fetch, now }, events.webhook) });
  }
  return senders;
}

/** One line for each event, with ids and addresses alone. */
function createLogSend(log: Logger): Send {
  return async ({ id, type, target, owner, actor, details }: KeyEvent) => {
    const { address, keys, addresses } = details;
    const told = {
      ...(typeof address === 'string' && { address }),
      // Of an event that speaks of many.
      ...(typeof keys === 'number' && { keys }),
      ...(typeof addresses === 'number' && { addresses }),
    };
    log.info({ event: type, event_id: id, target, owner, actor, ...told }, 'event');
    return null;
  };
}

function told(
  receiver: string,
  log: Logger,
): Pick<EventDeliveryDependencies, 'onFailed' | 'onRecovered' | 'onError'> {
  return {
    onFailed({ why, attempt, retryMs, event, entriesBehind }) {
      const behind = { event_id: event.id, since: new Date(event.at), entries_behind: entriesBehind };
      const fields = { receiver, why, attempt, retry_in_ms: Math.round(retryMs), ...behind };
      log.warn(fields, 'events wait until their receiver takes them');
    },
    onRecovered: ({ id }) => log.info({ receiver, event_id: id }, 'events are taken again'),
    onError: (error) => log.warn({ receiver, err: error }, 'events wait for the store'),
  };
}
