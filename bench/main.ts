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
import { readMachine } from './report/machine.ts';
import { memoryTable, scenarioTable } from './report/markdown.ts';
import { believable, withOthers, writeResults } from './report/results.ts';

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
    const parts: RunResult[] = [];
    for (const group of groups) {
      const part = await runGroup({ options, stage, generator, say }, group);
      parts.push(part);
      for (const result of part.scenarios) {
        say(`\n${scenarioTable(result)}`);
        for (const { name, misses } of result.peers) {
          if (misses !== null && misses > 0) say(`${name}: ${misses} lookups missed its memory`);
        }
      }
      if (part.memory.length > 0) say(`\n${memoryTable(part.memory)}`);
    }
    const scenarios = parts.flatMap((part) => part.scenarios);
    const memory = parts.flatMap((part) => part.memory);
    const folder = options.save ? folders.saved : folders.passing;
    const { placing } = stage;
    const day = new Date().toISOString().slice(0, 10);
    const all = {
      day,
      machine,
      versions: await versions(options, groups),
      placing,
      raw: options.raw,
      scenarios,
      memory,
    };
    const { results, leftOut } = believable(all);
    say(`\n${behindMarkdown(behindGo((options.save ? results : all).scenarios), new Map())}`);
    for (const title of leftOut)
      say(`${options.save ? 'not written, since' : 'to doubt:'} the machine was not quiet: ${title}`);
    writeResults(folder, options.save ? withOthers(folder, results) : all);
    say(`\nwritten to ${options.save ? 'bench/results' : '.cache/bench/results'}`);
  } finally {
    await stage.stop();
    await generator.stop();
  }
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
