import { accessSync, constants, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { readTls, TlsError } from '../../net/tls.ts';
import type { Config } from '../../settings/config.ts';
import type { ConfigProblem } from '../../settings/config-problem.ts';

/** What the settings name on this machine and cannot be used as it is: files of TLS, and the folder of the store. */
export function placeProblems(config: Config): ConfigProblem[] {
  const { check, admin, http, httpCheck } = config;
  const listeners = Object.entries({ check, admin, http, http_check: httpCheck });
  const problems: ConfigProblem[] = listeners.flatMap(([name, listener]) => {
    const tls = listener?.tls ?? null;
    const why = tls === null ? null : whyUnusable(() => readTls(tls));
    return why === null ? [] : [{ path: [name, 'tls'], message: why }];
  });
  const { store } = config;
  if (store.kind === 'mongodb' || store.path === ':memory:') return problems;
  const why = whyNoFolder(dirname(resolve(store.path)));
  return why === null ? problems : [...problems, { path: ['store'], message: why }];
}

function whyUnusable(read: () => unknown): string | null {
  try {
    read();
    return null;
  } catch (error) {
    if (error instanceof TlsError) return error.message;
    throw error;
  }
}

/** Folders that are missing are made: the first that is there must be a folder that may be written to. */
function whyNoFolder(folder: string): string | null {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found === undefined && dirname(folder) !== folder) return whyNoFolder(dirname(folder));
  if (found?.isDirectory() !== true) return `${folder} is not a folder`;
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return null;
  } catch {
    return `${folder} may not be written to`;
  }
}
