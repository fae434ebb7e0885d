import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Io } from '../terminal/command.ts';

/** Folders and secrets of this machine, by Node's own calls. */
export const folders: Pick<Io, 'namesIn' | 'hasText' | 'makeFolder' | 'writeSecret'> = {
  namesIn: (path) => (statSync(path).isDirectory() ? readdirSync(path).toSorted() : null),
  hasText(path) {
    const file = statSync(path, { throwIfNoEntry: false });
    return file !== undefined && file.size > 0;
  },
  makeFolder(path) {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.W_OK | constants.X_OK);
  },
  writeSecret(path, text) {
    // Under a name that nobody knows until all of it is on the disk.
    const partial = join(dirname(path), `.${randomBytes(9).toString('base64url')}`);
    const file = openSync(partial, 'wx', 0o600);
    try {
      let rest = Buffer.from(text);
      while (rest.length > 0) rest = rest.subarray(writeSync(file, rest));
      fsyncSync(file);
      renameSync(partial, path);
    } catch (error) {
      rmSync(partial, { force: true });
      throw error;
    } finally {
      closeSync(file);
    }
  },
};
