import { Worker } from 'node:worker_threads';
import type { Config } from '../../settings/config.ts';
import { type Environment, readEnvironment } from './config-environment.ts';
import type { Examination, ExaminerInput } from './setting-examiner.ts';
import { readerOf, type SettingFiles } from './setting-files.ts';
import { configOfTree, type SettingFlags } from './settings.ts';

/** Settings that were read again. */
export interface Reread extends Pick<Examination, 'tree' | 'problems' | 'warnings'> {
  /** Null when there are problems. */
  readonly config: Config | null;
}

const examinationMsMax = 60_000;
const heapMiBMax = 512;

/**
 * Examines settings as at the start, in a thread of its own: to show that a pattern is quick takes up to 5 s, and
 * ten thousand rules take one, in which this thread would answer no Check. What is left to do here takes a tenth.
 */
export async function examineApart(
  flags: SettingFlags,
  environment: Environment,
  files: SettingFiles,
): Promise<Reread> {
  const { tree, problems, warnings, verdicts } = await runExaminer({
    ...{ flags, environment: ofPostern(environment), found: files.found },
  });
  const { secrets } = readEnvironment(environment, readerOf(files));
  if (problems.length > 0) return { tree, problems, warnings, config: null };
  const config = configOfTree(tree, secrets, (pattern) => verdicts.get(pattern) ?? null);
  return { tree, problems, warnings, config };
}

/** Rejects when the thread breaks, runs out of memory or takes too long. */
async function runExaminer(workerData: ExaminerInput): Promise<Examination> {
  // Beside this file, be it a source or compiled.
  const program = new URL(import.meta.url.replace(/examination(\.[jt]s)$/, 'examiner$1'));
  const worker = new Worker(program, {
    workerData,
    // With what this process has put there for it: see bin/postern.js.
    env: { ...process.env },
    resourceLimits: { maxOldGenerationSizeMb: heapMiBMax },
  });
  const { promise, resolve, reject } = Promise.withResolvers<Examination>();
  const timer = setTimeout(() => reject(new Error('it took longer than a minute')), examinationMsMax);
  worker.once('message', resolve).once('error', reject);
  worker.once('exit', () => reject(new Error('it ended without an answer')));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

function ofPostern(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => name.startsWith('POSTERN_')));
}
