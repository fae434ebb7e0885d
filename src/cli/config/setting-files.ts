import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { type Environment, readEnvironment } from './config-environment.ts';
import type { SettingFlags } from './settings.ts';

/** The files of the settings as one look found them. */
export interface SettingFiles {
  /** Path → text, or Node's code of why there is none. */
  readonly found: ReadonlyMap<string, string | { readonly code: string }>;
  /** The same for the same files with the same texts. */
  readonly fingerprint: string;
}

/** A larger file is not read again. */
const fileBytesMax = 16 * 1_024 * 1_024;

/** Reads the settings file and those that `_FILE` variables name; never throws. */
export function lookAtSettings(
  flags: Pick<SettingFlags, 'config'>,
  environment: Environment,
  readFile: (path: string) => string = readRegularFile,
): SettingFiles {
  const found = new Map<string, string | { readonly code: string }>();
  const read = (path: string) => {
    try {
      const text = readFile(path);
      found.set(path, text);
      return text;
    } catch (error) {
      found.set(path, { code: (error as NodeJS.ErrnoException).code ?? String(error) });
      throw error;
    }
  };
  const { config } = readEnvironment(environment, read);
  const name = flags.config ?? config;
  try {
    if (name !== undefined) read(name);
  } catch {
    // It is among what was found.
  }
  const fingerprint = createHash('sha256').update(JSON.stringify([...found]));
  return { found, fingerprint: fingerprint.digest('base64') };
}

/** Reads from what a look found; throws as Node does. */
export function readerOf({ found }: Pick<SettingFiles, 'found'>): (path: string) => string {
  return (path) => {
    const text = found.get(path) ?? { code: 'ENOENT' };
    if (typeof text === 'string') return text;
    throw Object.assign(new Error(text.code), { code: text.code });
  };
}

/** What can be read only once, as a pipe, is not waited for. */
function readRegularFile(path: string): string {
  const file = statSync(path);
  if (!file.isFile() && !file.isDirectory()) throw Object.assign(new Error(), { code: 'ESPIPE' });
  if (file.size > fileBytesMax) throw Object.assign(new Error(), { code: 'EFBIG' });
  return readFileSync(path, 'utf8');
}
