import type { Socket } from 'node:net';
import type { SigningKey } from '../../../identity/signing-key.ts';
import type { ServiceAnswers, ServiceTold, WorkerAnswers, WorkerTold } from '../../../link/messages.ts';
import { createPeer, type Peer } from '../../../link/peer.ts';
import type { ToldChanges, ToldWorker } from '../../../link/told-changes.ts';
import type { Listen } from '../../../net/listen.ts';
import type { TlsMaterial } from '../../../net/tls.ts';
import type { SentCheckConfig } from '../../../settings/check-config.ts';
import { type CheckSnapshot, ended, sumSnapshots } from '../../../telemetry/check-telemetry.ts';
import type { Logger } from '../../../telemetry/log.ts';
import type { TellLost } from '../tracing.ts';
import type { Spawn, Spawned } from './spawn.ts';

/** What a worker that starts has to know, as it holds at that moment. */
export interface Standing {
  settings: SentCheckConfig;
  tls: TlsMaterial | null;
  isServing: boolean;
  /** What identity tokens are signed by; null where there are none. */
  signingKey: SigningKey | null;
  /** Where a worker listens by itself; null where none does, or not yet. */
  listen: Listen | null;
}

export interface PlaceDependencies {
  readonly spawn: Spawn;
  /** What a worker asks of the service. */
  readonly answersFor: (told: ToldWorker) => ServiceAnswers;
  readonly told: ToldChanges;
  readonly tellLost: TellLost;
  readonly log: Logger;
}

export type WorkerPeer = Pick<Peer<WorkerAnswers, ServiceTold>, 'ask'>;

/** A place for one Check worker, which has another in it whenever one has ended. */
export interface Place {
  readonly name: string;
  /** Starts the first; rejects when it cannot be. */
  start(): Promise<void>;
  /** The worker that is there and has started; null between two. */
  worker(): WorkerPeer | null;
  /** Connections that the worker was handed and that are open. */
  connections(): number;
  /** Whether it has said something lately: one that stands still is handed no connection. */
  isAwake(): boolean;
  hand(socket: Socket): void;
  /** What all that were here have counted. */
  snapshot(): Promise<CheckSnapshot>;
  close(drainMs: number): Promise<void>;
}

const answerMaxMs = {
  start: 60_000,
  listen: 10_000,
  drain: 2_147_483_647,
  snapshot: 1_000,
  held: 1_000,
  charged: 1_000,
  forward: 10_000,
  signBy: 10_000,
} as const;
const againMs = { first: 100, most: 5_000 };
/** One that lived as long is replaced at once. */
const settledMs = 30_000;
/** Some beats of one that runs. */
const awakeMs = 3_000;
/** How long one that has drained may take to end by itself. */
const endMsMax = 7_000;

/** @param workers how many there are in all */
export function createPlace(
  name: string,
  workers: number,
  standing: Standing,
  { spawn, answersFor, told, tellLost, log }: PlaceDependencies,
): Place {
  let current: { readonly spawned: Spawned; readonly peer: Peer<WorkerAnswers, ServiceTold> } | null = null;
  let hasStarted = false;
  let isClosing = false;
  let waitMs = againMs.first;
  let timer: NodeJS.Timeout | null = null;
  let before = sumSnapshots([]);
  let latest = before;
  let connections = 0;
  /** Handed and not taken yet: open here too, so that none is lost with a worker that dies. */
  const onTheWay: Socket[] = [];
  let heardAt = 0;

  return {
    name,
    start: begin,
    worker: () => (hasStarted ? (current?.peer ?? null) : null),
    connections: () => connections,
    isAwake: () => performance.now() - heardAt < awakeMs,
    hand(socket) {
      if (current?.spawned.hand === undefined) {
        socket.destroy();
        return;
      }
      connections++;
      onTheWay.push(socket);
      current.spawned.hand(socket);
    },
    async snapshot() {
      const peer = hasStarted ? current?.peer : undefined;
      latest = (await peer?.ask('snapshot').catch(() => null)) ?? latest;
      return sumSnapshots([before, latest]);
    },
    async close(drainMs) {
      isClosing = true;
      if (timer !== null) clearTimeout(timer);
      if (current === null) return;
      const { spawned, peer } = current;
      if (hasStarted) await within(drainMs + endMsMax, peer.ask('drain', drainMs));
      peer.close();
      spawned.kill();
      await spawned.ended;
    },
  };

  async function begin(): Promise<void> {
    const spawned = spawn(name);
    const line = told.join(name, (what) => peer.tell(what));
    const startedAt = performance.now();
    const peer = createPeer<WorkerAnswers, ServiceAnswers, ServiceTold, WorkerTold>(spawned.port, {
      answers: answersFor(line),
      onTold(what) {
        if (what[0] === 'beat') line.onBeat(what[1]);
        else if (what[0] === 'applied') line.onApplied(what[1]);
        else if (what[0] === 'lost') tellLost(what[1], what[2]);
        else if (what[0] === 'taken') onTheWay.shift()?.destroy();
        else connections--;
        heardAt = performance.now();
      },
      answerMaxMsOf: answerMaxMs,
    });
    current = { spawned, peer };
    void spawned.ended.then((why) => {
      line.leave();
      peer.close();
      current = null;
      hasStarted = false;
      connections = 0;
      // Whoever waits on one of them tries again.
      for (const socket of onTheWay.splice(0)) socket.destroy();
      before = sumSnapshots([before, ended(latest)]);
      latest = sumSnapshots([]);
      if (!isClosing) replace(why, performance.now() - startedAt);
    });
    const { settings, tls } = standing;
    await peer.ask('start', { settings, tls, workers });
    // What changed while it started.
    if (standing.tls !== null && standing.tls !== tls) await peer.ask('secure', standing.tls);
    if (standing.signingKey !== null) await peer.ask('signBy', standing.signingKey);
    if (standing.listen !== null) await peer.ask('listen', standing.listen);
    await peer.ask('serve', standing.isServing);
    for (let taken = settings; taken !== standing.settings; ) {
      taken = standing.settings;
      await peer.ask('apply', taken);
    }
    hasStarted = true;
  }

  function replace(why: unknown, livedMs: number): void {
    if (livedMs >= settledMs) waitMs = againMs.first;
    const told = why instanceof Error ? { err: why } : { why };
    log.error({ worker: name, ...told, again_in_ms: waitMs }, 'a Check worker has ended and is replaced');
    timer = setTimeout(() => {
      begin().catch((error: unknown) => {
        log.error({ worker: name, err: error }, 'a Check worker could not be started');
        current?.spawned.kill();
      });
    }, waitMs);
    waitMs = Math.min(waitMs * 2, againMs.most);
  }
}

/** Ends after that time, whatever becomes of the work. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work.catch(() => {}), promise]);
  clearTimeout(timer);
}
