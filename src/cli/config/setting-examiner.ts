import { parentPort, workerData } from 'node:worker_threads';
import type { Environment } from './config-environment.ts';
import { createJudge, type Verdicts } from './pattern/verdicts.ts';
import { readerOf, type SettingFiles } from './setting-files.ts';
import { examineSettings, type SettingFlags } from './settings.ts';

/** What the other thread is given. */
export interface ExaminerInput {
  readonly flags: SettingFlags;
  readonly environment: Environment;
  readonly found: SettingFiles['found'];
}

/** What is to be said of settings, without what cannot go from thread to thread. */
export interface Examination {
  readonly tree: unknown;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  readonly verdicts: Verdicts;
}

/** The thread that examines settings which are read again. It answers once. */
function examine({ flags, environment, found }: ExaminerInput): Examination {
  const { judge, verdicts } = createJudge();
  const { tree, problems, warnings } = examineSettings(flags, environment, readerOf({ found }), judge);
  return { tree, problems, warnings, verdicts };
}

parentPort?.postMessage(examine(workerData));
