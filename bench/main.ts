import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findMongod } from '../test/real/binary.ts';
import { groupsOf, type Options, readOptions, usage, WrongOption } from './checks/options.ts';
import { type RunResult, runGroup } from './checks/run.ts';
import { estimateSeconds, type Group } from './checks/scenario.ts';
import { createStage } from './checks/stage.ts';
import { startGenerator } from './client/generator.ts';
import { envoyVersion } from './peers/envoy.ts';
import { goVersion } from './peers/go.ts';
import { opaVersion } from './peers/opa.ts';
import { rustVersion } from './peers/rust.ts';
import { behindGo, behindMarkdown } from './report/behind.ts';
import { failuresMarkdown } from './report/failures.ts';
import { readMachine } from './report/machine.ts';
import { memoryTable, scenarioTable } from './report/markdown.ts';
import { believable, type Results, withOthers, writeResults } from './report/results.ts';

const folders = {
  saved: fileURLToPath(new URL('results', import.meta.url)),
  passing: fileURLToPath(new URL('../.cache/bench/results', import.meta.url)),
};

/** Runs the benchmark; whatever was started is stopped, and what was written removed but for the results. */
async function bench(options: Options): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'postern-bench-'));
  const generator = await startGenerator();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
  const stage = createStage(options, scratch, generator.pid);
  try {
    const has = {
      envoy: (await envoyVersion()) !== null,
      ghz: stage.ghz !== null,
      mongo: (await findMongod().catch(() => null)) !== null,
    };
    const groups = groupsOf({ ...options, peers: stage.names }, has);
    for (const why of stage.absent) say(why);
    if (!has.envoy) say('There is no Envoy here: nothing goes through one.');
    if (!has.mongo) say('There is no MongoDB here: nothing is measured on one.');
    const machine = readMachine();
    say(`${Object.values(machine).join(', ')}; ${stage.placing}`);
    say(`about ${Math.ceil(estimateSeconds(groups) / 60)} min`);
    const base = {
      ...{ day: new Date().toISOString().slice(0, 10), machine, placing: stage.placing, raw: options.raw },
      versions: await versions(options, groups),
    };
    const parts: RunResult[] = [];
    for (const group of groups) {
      const part = await runGroup({ options, stage, generator, say }, group);
      parts.push(part);
      show(part);
      keep({ ...base, ...together(parts) }, options);
    }
    conclude({ ...base, ...together(parts) }, options);
  } finally {
    await stage.stop();
    await generator.stop();
  }
}

function together(parts: readonly RunResult[]): RunResult {
  return {
    scenarios: parts.flatMap(({ scenarios }) => scenarios),
    memory: parts.flatMap(({ memory }) => memory),
    failed: parts.flatMap(({ failed }) => failed),
  };
}

function show({ scenarios, memory }: RunResult): void {
  for (const result of scenarios) {
    say(`\n${scenarioTable(result)}`);
    for (const { name, misses } of result.peers) {
      if (misses !== null && misses > 0) say(`${name}: ${misses} lookups missed its memory`);
    }
  }
  if (memory.length > 0) say(`\n${memoryTable(memory)}`);
}

/** After each group, so that what ends a run takes nothing with it that was measured before. */
function keep(soFar: Results, { save }: Options): void {
  if (save) writeResults(folders.saved, withOthers(folders.saved, believable(soFar).results));
  else writeResults(folders.passing, soFar);
}

function conclude(all: Results, { save }: Options): void {
  const { results, leftOut } = believable(all);
  say(`\n${behindMarkdown(behindGo((save ? results : all).scenarios), new Map())}`);
  for (const title of leftOut)
    say(`${save ? 'not written, since' : 'to doubt:'} the machine was not quiet: ${title}`);
  say(`\nwritten to ${save ? 'bench/results' : '.cache/bench/results'}`);
  if (all.failed.length === 0) return;
  for (const text of failuresMarkdown(all.failed)) process.stderr.write(`\n${text}\n`);
  process.exitCode = 1;
}

async function versions({ opa }: Options, groups: readonly Group[]): Promise<Record<string, string>> {
  const found: Record<string, string | null> = {
    Go: goVersion()?.replace(/^go/, '') ?? null,
    Rust: rustVersion(),
  };
  if (opa !== null) found['OPA-Envoy'] = opaVersion(opa);
  if (groups.some(({ throughEnvoy }) => throughEnvoy)) found.Envoy = await envoyVersion();
  const known = Object.entries(found).filter((entry): entry is [string, string] => entry[1] !== null);
  return Object.fromEntries(known);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

try {
  if (process.argv.includes('--help')) say(usage);
  else await bench(readOptions(process.argv.slice(2), process.env));
} catch (cause) {
  process.stderr.write(
    `bench: ${(cause as Error).message}\n${cause instanceof WrongOption ? `${usage}\n` : ''}`,
  );
  process.exitCode = 1;
}
