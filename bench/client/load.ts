import { pathToFileURL } from 'node:url';
import { presentedKeys } from '../common/keys.ts';
import { type Kind, requestVariant } from '../common/kinds.ts';
import {
  type MachineTime,
  machineSince,
  type ProcessorTime,
  readMachineTime,
  readProcessorTime,
  readResidentBytes,
  since,
} from '../common/processor-time.ts';
import { type Outcome, outcomeName } from './answer.ts';
import { type Calls, checkCalls, edgeCalls } from './calls.ts';
import { openConnection } from './connection.ts';
import { type Expected, isExpected } from './expected.ts';
import { createHistogram, type Histogram } from './histogram.ts';
import { atRandom, byZipf, inOrder, isListed, type Order } from './order.ts';
import { closedPace, constantPace, type Pace } from './pace.ts';
import { createRequests, type Requests } from './requests.ts';

/** What the load generator keeps from one phase to the next. */
export interface LoadSetup {
  readonly kind: Kind;
  readonly keys: number;
  readonly seed: number;
  readonly raw: boolean;
  readonly order: Order;
  /** Whether requests come from 50 000 addresses, not from eight. */
  readonly crowd: boolean;
}

/** One phase against one server. Without `seconds`, every key of a part is asked for once, in order. */
export interface Phase {
  readonly port: number;
  /** Of the server, in one or several processes, and of the proxy in front of it where there is one. */
  readonly pids: { readonly server: readonly number[]; readonly proxy: number | null };
  /** Checks over gRPC, or requests of a caller to the proxy. */
  readonly protocol: 'check' | 'edge';
  readonly streams: number;
  readonly connections: number;
  /** A constant rate, whatever the answers; null sends the next when one is answered. */
  readonly perSecond: number | null;
  readonly seconds: number | null;
  /** Which of the keys are asked for once: that of so many parts; all of them by default. */
  readonly part?: { readonly index: number; readonly of: number };
  /** What every answer has to be, and for an allow also what it has to hold. */
  readonly expected: Expected;
  readonly mention: string | null;
}

export interface PhaseResult {
  /** Answers within the seconds that are measured. */
  readonly checks: number;
  /** All answers, from the first to the last. */
  readonly answered: number;
  readonly seconds: number;
  /** Milliseconds, from the write of a Check, or from when it was due, to the read of its end. */
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly p999: number };
  /** Due at the end and not sent yet: nothing where the rate is not constant. */
  readonly owed: number;
  readonly server: ProcessorTime;
  readonly proxy: ProcessorTime | null;
  readonly client: ProcessorTime;
  /** All that the benchmark runs, those above and whoever keeps them busy or holds their data. */
  readonly bench: ProcessorTime;
  readonly machine: MachineTime;
  /** Of the server, at the end. */
  readonly residentBytes: number;
  /** Answers, or failures, other than the expected one, from the first Check to the last, by name. */
  readonly unexpected: Readonly<Record<string, number>>;
}

/** From the first Check to the start of what is measured: connections are up and all streams are busy. */
const settleMs = 300;

interface Tally {
  readonly histogram: Histogram;
  readonly unexpected: Record<string, number>;
  readonly pace: Pace;
  checks: number;
  answered: number;
  stopped: boolean;
}

async function runPhase(setup: LoadSetup, presented: Presented, phase: Phase): Promise<PhaseResult> {
  const { perSecond, connections, expected } = phase;
  const pace = perSecond === null ? closedPace() : constantPace(perSecond, performance.now());
  const tally: Tally = {
    histogram: createHistogram(),
    unexpected: {},
    pace,
    checks: 0,
    answered: 0,
    stopped: false,
  };
  const calls = presented.calls(phase);
  const load = {
    calls,
    pace,
    ...sequenceOf(setup, phase, calls.count, tally),
    onAnswer(outcome: Outcome, micros: number) {
      tally.checks += 1;
      tally.answered += 1;
      tally.histogram.record(micros);
      const answeredAt = performance.timeOrigin + performance.now();
      if (isExpected(expected, outcome, { sentAt: answeredAt - micros / 1_000, answeredAt })) return;
      const name = outcomeName(outcome);
      tally.unexpected[name] = (tally.unexpected[name] ?? 0) + 1;
    },
  };
  const streams = Math.ceil(phase.streams / connections);
  const opened = Array.from({ length: connections }, () => openConnection(phase.port, streams, load));
  const done = Promise.all(opened.map((connection) => connection.done));
  if (perSecond !== null) drive(opened, done, phase.seconds !== null);
  const [measured] = await Promise.all([measure(phase, tally, done), done]);
  return { ...measured, answered: tally.answered, unexpected: tally.unexpected };
}

/**
 * Sends what is due, the connections in turn. Where latencies are measured it never waits, since timers of a millisecond
 * would be too coarse; else it leaves its core to whoever else is there, which may be the database that is asked.
 */
export function drive(
  connections: readonly { pump(): void }[],
  done: Promise<unknown>,
  isMeasured: boolean,
): void {
  let isDone = false;
  let turn = 0;
  const tick = () => {
    if (isDone) return;
    turn = (turn + 1) % connections.length;
    for (let at = 0; at < connections.length; at++) connections[(turn + at) % connections.length]?.pump();
    if (isMeasured) setImmediate(tick);
    else setTimeout(tick, 1);
  };
  const end = () => {
    isDone = true;
  };
  done.then(end, end);
  tick();
}

/** Reads clocks and counts at both ends of the time measured, here, so that they belong together. */
async function measure(phase: Phase, tally: Tally, done: Promise<unknown>) {
  const { pids, seconds } = phase;
  if (seconds !== null) {
    await sleep(settleMs);
    tally.checks = 0;
    tally.histogram.clear();
  }
  const before = snapshot(pids);
  await (seconds === null ? done : sleep(seconds * 1000));
  const after = snapshot(pids);
  const { histogram, checks } = tally;
  const quantileMs = (fraction: number) => histogram.quantile(fraction) / 1000;
  const result = {
    checks,
    seconds: (after.atMs - before.atMs) / 1000,
    latencyMs: { p50: quantileMs(0.5), p99: quantileMs(0.99), p999: quantileMs(0.999) },
    owed: seconds === null ? 0 : tally.pace.owed(after.atMs),
    server: since(before.server, after.server),
    proxy: before.proxy && after.proxy && since(before.proxy, after.proxy),
    client: since(before.client, after.client),
    bench: since(before.bench, after.bench),
    machine: machineSince(before.machine, after.machine),
    residentBytes: pids.server.reduce((sum, pid) => sum + readResidentBytes(pid), 0),
  };
  tally.stopped = true;
  return result;
}

function snapshot({ server, proxy }: Phase['pids']) {
  return {
    atMs: performance.now(),
    server: readProcessorTime(...server),
    proxy: proxy === null ? null : readProcessorTime(proxy),
    client: readProcessorTime(process.pid),
    bench: readProcessorTime(process.ppid),
    machine: readMachineTime(),
  };
}

function sequenceOf({ seed, order }: LoadSetup, { seconds, part }: Phase, count: number, tally: Tally) {
  if (seconds === null) {
    const { index, of } = part ?? { index: 0, of: 1 };
    return inOrder(Math.floor((count * index) / of), Math.floor((count * (index + 1)) / of));
  }
  const next = order === 'zipf' ? byZipf(count, seed) : atRandom(count, seed);
  return { isOver: () => tally.stopped, next };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

interface Presented {
  calls(phase: Phase): Calls;
}

function present({ kind, keys, seed, raw, order, crowd }: LoadSetup): Presented {
  const presented = presentedKeys(kind, { count: keys, seed, once: isListed(order) });
  let requests: Requests | undefined;
  return {
    calls({ protocol, mention }) {
      if (protocol === 'edge') return edgeCalls(presented);
      requests ??= createRequests(presented, { raw, variant: requestVariant(kind, crowd) });
      return checkCalls(requests, mention === null ? null : Buffer.from(mention));
    },
  };
}

/** Peers that are asked in turn present two kinds at most, and whoever asks next the same again. */
const rememberedMax = 3;
const memory = new Map<string, Presented>();

/** Keys and requests of a setup, made once as long as others do not take their place: a million take seconds. */
function remembered(setup: LoadSetup): Presented {
  const name = JSON.stringify(setup);
  const presented = memory.get(name) ?? present(setup);
  memory.delete(name);
  memory.set(name, presented);
  const [oldest] = memory.keys();
  if (memory.size > rememberedMax && oldest !== undefined) memory.delete(oldest);
  return presented;
}

/** The child's end of `startGenerator`: setups and phases, one answer to each. */
function serve(): void {
  let current: { readonly setup: LoadSetup; readonly presented: Presented } | undefined;
  process.on('message', async (message: LoadSetup | Phase) => {
    try {
      if ('keys' in message) {
        current = { setup: message, presented: remembered(message) };
        process.send?.({ result: null });
      } else if (current) {
        process.send?.({ result: await runPhase(current.setup, current.presented, message) });
      }
    } catch (cause) {
      process.send?.({ error: String(cause) });
    }
  });
  process.on('disconnect', () => process.exit());
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) serve();
