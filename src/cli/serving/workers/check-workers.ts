import type { Socket } from 'node:net';
import type { ForwardedAnswer } from '../../../forward/forwarded-answer.ts';
import type { ForwardedCall } from '../../../forward/forwarded-call.ts';
import type { SigningKey } from '../../../identity/signing-key.ts';
import type { HeldWindow } from '../../../limits/accounts.ts';
import type { ServiceAnswers } from '../../../link/messages.ts';
import type { ToldWorker } from '../../../link/told-changes.ts';
import { createAcceptor } from '../../../net/acceptor.ts';
import type { Listen } from '../../../net/listen.ts';
import type { TlsSource } from '../../../net/tls.ts';
import { checkChanges, type SentCheckConfig } from '../../../settings/check-config.ts';
import { type CheckSnapshot, sumSnapshots } from '../../../telemetry/check-telemetry.ts';
import { createPlace, type PlaceDependencies, type Standing, type WorkerPeer } from './place.ts';
import { spawnProcess, spawnThread } from './spawn.ts';

/** Those who answer Checks, apart from the thread that does all else. */
export interface CheckWorkers {
  /** Resolves when they can be asked; rejects when one cannot be started. */
  start(): Promise<void>;
  listen(listen: Listen): Promise<Listen>;
  /** Resolves when each of them judges by these settings, and tells each only what changed. */
  apply(settings: SentCheckConfig): Promise<void>;
  /** Identity tokens are signed by this from now on. */
  signBy(key: SigningKey): void;
  setServing(isServing: boolean): void;
  /** What they have counted together. */
  snapshot(): Promise<CheckSnapshot>;
  /** What all of them hold of these windows; one that does not answer holds nothing, so that all it has is spent. */
  held(windows: readonly HeldWindow[]): Promise<readonly number[]>;
  /** Resolves when each has heard that so many units count as leased, or is not waited for any longer. */
  charged(counts: readonly (readonly [window: HeldWindow, leased: number])[]): Promise<void>;
  /** Has one of them judge what a proxy asks over HTTP; rejects when none can be asked. */
  forward(call: ForwardedCall): Promise<ForwardedAnswer>;
  /** Whether there is one at this moment. */
  isThere(): boolean;
  close(drainMs: number): Promise<void>;
}

export interface CheckWorkersDependencies extends Pick<PlaceDependencies, 'log' | 'told' | 'tellLost'> {
  readonly answersFor: (told: ToldWorker) => ServiceAnswers;
  readonly tls: TlsSource | null;
  readonly settings: SentCheckConfig;
  /** Their names begin with it. */
  readonly replicaId: string;
  /** One is a thread of this process and listens by itself; several are processes, which are handed connections. */
  readonly count: number;
  /** Whether other processes may listen on the port, too. */
  readonly reusePort: boolean;
}

export function createCheckWorkers(dependencies: CheckWorkersDependencies): CheckWorkers {
  const { tls, settings, replicaId, log, count, reusePort } = dependencies;
  const onBroken = (error: unknown) => log.error({ err: error }, 'broken');
  const standing: Standing = {
    settings,
    tls: tls?.material ?? null,
    isServing: false,
    listen: null,
    signingKey: null,
  };
  const spawn = count > 1 ? spawnProcess : spawnThread;
  const places = Array.from({ length: count }, (_, index) =>
    createPlace(`${replicaId}/${index + 1}`, count, standing, { ...dependencies, spawn }),
  );
  let turn = 0;
  /** What each of them has; null where one may not have taken it. */
  let known: SentCheckConfig | null = settings;
  const door = createAcceptor(handOut, { reusePort, isHandedOn: true, onBroken });
  tls?.subscribe((material) => {
    standing.tls = material;
    void tellAll('new certificates', (worker) => worker.ask('secure', material));
  });

  return {
    async start() {
      await Promise.all(places.map((place) => place.start()));
    },
    async listen(listen) {
      if (count > 1) return door.listen(listen);
      const [first] = await askAll((worker) => worker.ask('listen', standing.listen ?? listen));
      if (first === undefined) throw new Error('no Check worker has started');
      standing.listen = first;
      return first;
    },
    async apply(next) {
      const changes = known === null ? next : checkChanges(known, next);
      known = null;
      standing.settings = next;
      if (await tellAll('new settings', (worker) => worker.ask('apply', changes))) known = next;
    },
    signBy(key) {
      standing.signingKey = key;
      void tellAll('what to sign by', (worker) => worker.ask('signBy', key));
    },
    setServing(isServing) {
      standing.isServing = isServing;
      void tellAll('whether to serve', (worker) => worker.ask('serve', isServing));
    },
    snapshot: async () => sumSnapshots(await Promise.all(places.map((place) => place.snapshot()))),
    async held(windows) {
      const answers = await Promise.allSettled(workers().map((worker) => worker.ask('held', windows)));
      return windows.map((_, at) =>
        answers.reduce(
          (sum, answer) => sum + (answer.status === 'fulfilled' ? (answer.value[at] ?? 0) : 0),
          0,
        ),
      );
    },
    async charged(counts) {
      await Promise.allSettled(workers().map((worker) => worker.ask('charged', counts)));
    },
    async forward(call) {
      const started = places.filter((place) => place.worker() !== null);
      const awake = started.filter((place) => place.isAwake());
      const able = awake.length > 0 ? awake : started;
      turn = (turn + 1) % Math.max(1, able.length);
      const worker = able[turn]?.worker() ?? null;
      if (worker === null) throw new Error('no Check worker can be asked');
      return worker.ask('forward', call);
    },
    isThere: () => places.some((place) => place.worker() !== null),
    async close(drainMs) {
      const closed = door.close();
      await Promise.all(places.map((place) => place.close(drainMs)));
      await closed;
    },
  };

  /** To the one with the fewest, so that few connections are spread as evenly as many. */
  function handOut(socket: Socket): void {
    const started = places.filter((place) => place.worker() !== null);
    const awake = started.filter((place) => place.isAwake());
    const [least, ...others] = awake.length > 0 ? awake : started;
    if (least === undefined) socket.destroy();
    else
      others
        .reduce((one, other) => (other.connections() < one.connections() ? other : one), least)
        .hand(socket);
  }

  /**
   * One that does not answer is not waited for longer than that takes: it goes on by what it has. Resolves to whether all
   * have taken it.
   */
  async function tellAll(what: string, tell: (worker: WorkerPeer) => Promise<unknown>): Promise<boolean> {
    const told = await Promise.allSettled(workers().map(tell));
    const failed = told.filter((one) => one.status === 'rejected');
    for (const { reason } of failed) log.error({ what, err: reason }, 'a Check worker could not be told');
    return failed.length === 0;
  }

  function workers(): WorkerPeer[] {
    return places.flatMap((place) => place.worker() ?? []);
  }

  function askAll<Answer>(ask: (worker: WorkerPeer) => Promise<Answer>): Promise<Answer[]> {
    return Promise.all(workers().map(ask));
  }
}
