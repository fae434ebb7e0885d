import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  machineSince,
  readEndedChildrenNs,
  readMachineTime,
  readProcessorTime,
  readResidentBytes,
  since,
} from '../common/processor-time.ts';
import type { PhaseResult } from './load.ts';

const run = promisify(execFile);
const protoset = fileURLToPath(new URL('../../src/grpc/gen/descriptors.binpb', import.meta.url));
const method = 'envoy.service.auth.v3.Authorization/Check';

/** The ghz that is asked with: the one that is named, on the PATH, or that `go install` once put into `cache`. */
export function findGhz(named: string | null, cache: string): string | null {
  const candidates = named === null ? ['ghz', join(cache, 'ghz')] : [named];
  return candidates.find((path) => spawnSync(path, ['--version']).status === 0) ?? null;
}

export interface GhzTarget {
  readonly port: number;
  readonly pid: number;
  readonly key: string;
  /** How many Checks are in the air, and on how many connections. */
  readonly streams: number;
  readonly connections: number;
  readonly seconds: number;
}

/** The part of what ghz prints that is read here; times in nanoseconds. */
interface GhzReport {
  readonly count: number;
  readonly total: number;
  readonly latencyDistribution: readonly { readonly percentage: number; readonly latency: number }[] | null;
  readonly statusCodeDistribution: Readonly<Record<string, number>>;
}

/** One turn of ghz: one key and one header, as its README would have it; it has all cores, as the server has. */
export async function runGhz(ghz: string, target: GhzTarget): Promise<PhaseResult> {
  const http = {
    method: 'GET',
    host: 'api.example.com',
    path: '/',
    headers: { authorization: `Bearer ${target.key}` },
  };
  const args = [
    ...['--insecure', '--protoset', protoset, '--call', method, '--format', 'json'],
    ...['--concurrency', String(target.streams), '--connections', String(target.connections)],
    ...['--duration', `${target.seconds}s`, '--duration-stop', 'wait'],
    ...['--data', JSON.stringify({ attributes: { request: { http } } }), `127.0.0.1:${target.port}`],
  ];
  const before = snapshot(target.pid);
  const { stdout } = await run(ghz, args, { maxBuffer: 256 * 1024 * 1024 });
  const after = snapshot(target.pid);
  return resultOf(JSON.parse(stdout) as GhzReport, before, after, readResidentBytes(target.pid));
}

function snapshot(pid: number) {
  return {
    server: readProcessorTime(pid),
    bench: readProcessorTime(process.pid),
    endedNs: readEndedChildrenNs(),
    machine: readMachineTime(),
  };
}

type Snapshot = ReturnType<typeof snapshot>;

/** ghz is the one child that ended between the two. */
export function resultOf(
  report: GhzReport,
  before: Snapshot,
  after: Snapshot,
  residentBytes: number,
): PhaseResult {
  const ms = (percentage: number) =>
    (report.latencyDistribution?.find((one) => one.percentage === percentage)?.latency ?? Number.NaN) / 1e6;
  const failed = Object.entries(report.statusCodeDistribution).filter(([name]) => name !== 'OK');
  const server = since(before.server, after.server);
  const client = { ranNs: after.endedNs - before.endedNs, waitedNs: 0 };
  const { ranNs, waitedNs } = since(before.bench, after.bench);
  return {
    ...{ checks: report.count, answered: report.count, seconds: report.total / 1e9, owed: 0 },
    // It tells no p99.9.
    latencyMs: { p50: ms(50), p99: ms(99), p999: Number.NaN },
    ...{ server, proxy: null, client, residentBytes },
    bench: { ranNs: ranNs + client.ranNs, waitedNs },
    machine: machineSince(before.machine, after.machine),
    unexpected: Object.fromEntries(failed),
  };
}
