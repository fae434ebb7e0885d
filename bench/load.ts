import { pathToFileURL } from 'node:url';
import { type Outcome, outcomeName } from './answer.ts';
import { runConnection } from './connection.ts';
import { createHistogram, type Histogram } from './histogram.ts';
import { type Kind, presentedKeys } from './keys.ts';
import { type ProcessorTime, readProcessorTime, since } from './processor-time.ts';
import { createRandom } from './random.ts';
import { createRequests, type Requests } from './requests.ts';

/** What the load generator keeps from one phase to the next. */
export interface LoadSetup {
  readonly kind: Kind;
  readonly keys: number;
  readonly seed: number;
  readonly raw: boolean;
  readonly streams: number;
  readonly connections: number;
}

/** One phase against one server. Without `seconds`, every key is asked for once, in order. */
export interface Phase {
  readonly port: number;
  readonly pid: number;
  readonly seconds: number | null;
  /** What every answer has to be, and for an allow also what it has to hold. */
  readonly expected: Outcome;
  readonly mention: string | null;
}

export interface PhaseResult {
  readonly checks: number;
  readonly seconds: number;
  /** Milliseconds, from the write of a Check to the read of its end. */
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly p999: number };
  readonly server: ProcessorTime;
  readonly client: ProcessorTime;
  /** Answers, or failures, other than the expected one, from the first Check to the last, by name. */
  readonly unexpected: Readonly<Record<string, number>>;
}

/** From the first Check to the start of what is measured: connections are up and all streams are busy. */
const settleMs = 300;

interface Tally {
  readonly histogram: Histogram;
  readonly unexpected: Record<string, number>;
  checks: number;
  stopped: boolean;
}

async function runPhase(setup: LoadSetup, requests: Requests, phase: Phase): Promise<PhaseResult> {
  const tally: Tally = { histogram: createHistogram(), unexpected: {}, checks: 0, stopped: false };
  const load = {
    requests,
    mention: phase.mention === null ? null : Buffer.from(phase.mention),
    next: phase.seconds === null ? once(requests.count) : atRandom(requests.count, setup.seed, tally),
    onAnswer(outcome: Outcome, micros: number) {
      tally.checks += 1;
      tally.histogram.record(micros);
      if (outcome === phase.expected) return;
      const name = outcomeName(outcome);
      tally.unexpected[name] = (tally.unexpected[name] ?? 0) + 1;
    },
  };
  const streams = Math.ceil(setup.streams / setup.connections);
  const connections = Promise.all(
    Array.from({ length: setup.connections }, () => runConnection(phase.port, streams, load)),
  );
  const [measured] = await Promise.all([measure(phase, tally, connections), connections]);
  return { ...measured, unexpected: tally.unexpected };
}

/** Reads clocks and counts at both ends of the time measured, here, so that they belong together. */
async function measure(phase: Phase, tally: Tally, connections: Promise<unknown>) {
  if (phase.seconds !== null) {
    await sleep(settleMs);
    tally.checks = 0;
    tally.histogram.clear();
  }
  const before = snapshot(phase.pid);
  await (phase.seconds === null ? connections : sleep(phase.seconds * 1000));
  const after = snapshot(phase.pid);
  const { histogram, checks } = tally;
  const quantileMs = (fraction: number) => histogram.quantile(fraction) / 1000;
  const result = {
    checks,
    seconds: (after.atMs - before.atMs) / 1000,
    latencyMs: { p50: quantileMs(0.5), p99: quantileMs(0.99), p999: quantileMs(0.999) },
    server: since(before.server, after.server),
    client: since(before.client, after.client),
  };
  tally.stopped = true;
  return result;
}

function snapshot(pid: number) {
  return { atMs: performance.now(), server: readProcessorTime(pid), client: readProcessorTime(process.pid) };
}

function once(count: number): () => number | undefined {
  let index = 0;
  return () => (index < count ? index++ : undefined);
}

function atRandom(count: number, seed: number, tally: Tally): () => number | undefined {
  const random = createRandom(seed);
  return () => (tally.stopped ? undefined : random.below(count));
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The child's end of `startLoad`: a setup, then phases, one answer to each. */
function serve(): void {
  let setup: LoadSetup | undefined;
  let requests: Requests | undefined;
  process.on('message', async (message: LoadSetup | Phase) => {
    try {
      if ('keys' in message) {
        setup = message;
        requests = createRequests(presentedKeys(setup.kind, setup.keys, setup.seed), setup.raw);
        process.send?.({ result: null });
      } else if (setup && requests) {
        process.send?.({ result: await runPhase(setup, requests, message) });
      }
    } catch (cause) {
      process.send?.({ error: String(cause) });
    }
  });
  process.on('disconnect', () => process.exit());
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) serve();
