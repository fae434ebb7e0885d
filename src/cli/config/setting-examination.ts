import { Worker } from 'node:worker_threads';
import type { Config } from '../../settings/config.ts';
import { type Environment, readEnvironment } from './config-environment.ts';
import type { Verdicts } from './pattern/verdicts.ts';
import type { Examination, ExaminerInput } from './setting-examiner.ts';
import { readerOf, type SettingFiles } from './setting-files.ts';
import { configOfTree, examineSettings, type SettingFlags } from './settings.ts';

/** Settings that were read again. */
export interface Reread extends Pick<Examination, 'tree' | 'problems' | 'warnings'> {
  /** Null when there are problems. */
  readonly config: Config | null;
}

/** Examines settings that are read again, from the files that a look found. */
export type ExamineAgain = (files: SettingFiles) => Promise<Reread>;

const examinationMsMax = 60_000;
const heapMiBMax = 512;
/** Characters of all files together that are examined where they are asked for: some milliseconds. */
const shortLengthMax = 16_384;

/**
 * Examines settings as at the start. Short ones without a new pattern are examined here, in a few milliseconds; starting a
 * thread takes a hundred times as long. The others are examined in a thread of their own: to show that a pattern is
 * quick takes up to 5 s, and ten thousand rules take one, in which this thread would do nothing else. What is left to do
 * here takes a tenth.
 *
 * @param judged what was said of the patterns that the start found
 * @param examineApart the other thread, unless it is given
 */
export function createExamination(
  flags: SettingFlags,
  environment: Environment,
  judged: Verdicts,
  examineApart = runExaminer,
): ExamineAgain {
  let verdicts = judged;

  return async (files) => {
    if (isShort(files)) {
      const examined = tryHere(files);
      if (examined !== null) return examined;
    }
    const examined = await examineApart({
      ...{ flags, environment: ofSettings(environment), found: files.found },
    });
    const { tree, problems, warnings } = examined;
    verdicts = examined.verdicts;
    const { secrets } = readEnvironment(environment, readerOf(files));
    if (problems.length > 0) return { tree, problems, warnings, config: null };
    const config = configOfTree(tree, secrets, (pattern) => verdicts.get(pattern) ?? null);
    return { tree, problems, warnings, config };
  };

  /** Null where a pattern has to be judged first. */
  function tryHere(files: SettingFiles): Reread | null {
    let isNew = false;
    const judge = (pattern: string) => {
      if (!verdicts.has(pattern)) isNew = true;
      return verdicts.get(pattern) ?? null;
    };
    const { tree, problems, warnings, config } = examineSettings(flags, environment, readerOf(files), judge);
    return isNew ? null : { tree, problems, warnings, config };
  }
}

function isShort({ found }: SettingFiles): boolean {
  const lengths = [...found.values()].map((text) => (typeof text === 'string' ? text.length : 0));
  return lengths.reduce((sum, length) => sum + length, 0) <= shortLengthMax;
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

function ofSettings(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => /^(?:POSTERN|OTEL)_/.test(name)));
}
