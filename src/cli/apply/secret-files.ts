import { join } from 'node:path';
import { CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { printable } from '../terminal/output.ts';
import { type Wanted, wrongDocuments } from './documents.ts';

/** Where the secrets of new keys are put, a file each. */
export interface SecretFiles {
  has(externalId: string): boolean;
  /** Throws a {@link CommandError} that says how the secret is had after all. */
  write(externalId: string, secret: string): void;
  /** Makes the folder, before anything is changed. */
  prepare(): void;
}

const nameBytesMax = 255;

/** Throws a {@link CommandError} where a document has no file of its own in the folder. */
export function openSecretFiles(io: Io, folder: string, wanted: readonly Wanted[]): SecretFiles {
  const keys = wanted.filter(({ kind }) => kind === 'Key');
  const ids = new Set<string>();
  const problems = keys.flatMap(({ id, problem }) => {
    const isSeen = ids.has(id);
    ids.add(id);
    if (isSeen) return [problem('another owner has a key with this external_id, and both would be one file')];
    return isName(id) ? [] : [problem('is not a name for a file, as --secrets needs it', 'external_id')];
  });
  if (problems.length > 0) throw wrongDocuments(problems);
  const pathOf = (externalId: string) => join(folder, externalId);

  return {
    has(externalId) {
      try {
        return io.hasText(pathOf(externalId));
      } catch (error) {
        throw trouble(`${pathOf(externalId)} cannot be looked at`, error);
      }
    },
    prepare() {
      try {
        io.makeFolder(folder);
      } catch (error) {
        throw trouble(`${folder} cannot be written to`, error);
      }
    },
    write(externalId, secret) {
      try {
        io.writeSecret(pathOf(externalId), secret);
      } catch (error) {
        throw trouble(`${pathOf(externalId)} cannot be written, so that nobody has its secret`, error);
      }
    },
  };
}

function isName(id: string): boolean {
  if (id === '.' || id === '..' || Buffer.byteLength(id) > nameBytesMax) return false;
  return !/[/\0]/.test(id);
}

function trouble(what: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : null;
  if (code === null) return error;
  return new CommandError(exitCodes.failed, [`${printable(what)}: ${code}`]);
}
