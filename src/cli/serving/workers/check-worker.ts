import { parentPort } from 'node:worker_threads';
import type { ServiceAnswers, ServiceTold, WorkerAnswers, WorkerTold } from '../../../link/messages.ts';
import { createPeer } from '../../../link/peer.ts';
import { type Port, processPort, threadPort } from '../../../link/port.ts';
import { type CheckCore, startCheckCore } from './check-core.ts';

/**
 * The program of a Check worker: a thread, or a process, which answers Checks and does nothing else. All that it knows
 * of keys it has from the service at the other end of the link, whatever the store is.
 */
function run(port: Port) {
  let take: (told: ServiceTold) => void = () => {};
  let started: CheckCore | null = null;
  const core = () => {
    if (started === null) throw new Error('this Check worker has not been started');
    return started;
  };
  const service = createPeer<ServiceAnswers, WorkerAnswers, WorkerTold, ServiceTold>(port, {
    answers: {
      async start(given) {
        started = await startCheckCore(service, given);
        take = started.feed.take;
      },
      listen: (listen) => core().listener.listen(listen),
      apply: (changes) => core().apply(changes),
      secure: (material) => core().secure(material),
      serve: (isServing) => core().listener.setServing(isServing),
      snapshot: () => core().telemetry.snapshot(),
      async held(windows) {
        const { limiter } = core();
        await limiter.know(windows);
        return limiter.held(windows);
      },
      charged(counts) {
        for (const count of counts) core().limiter.charged(...count);
      },
      signBy: (key) => core().signBy(key),
      forward: (call) => core().forward(call),
      drain: (drainMs) => core().drain(drainMs),
    },
    onTold: (told) => take(told),
  });
  return { service, core };
}

/** A process ends with the service, and at its word alone: what a terminal or a supervisor signals, the service hears. */
function runProcess(): void {
  const port = processPort(process);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
  process.on('disconnect', () => process.exit());
  const { service, core } = run(port);
  port.onHanded((socket) => {
    service.tell(['taken']);
    if (socket === null) {
      service.tell(['closed']);
      return;
    }
    socket.once('close', () => service.tell(['closed']));
    core().listener.accept(socket);
  });
}

if (parentPort === null) runProcess();
else run(threadPort(parentPort));
