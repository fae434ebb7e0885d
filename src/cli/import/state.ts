import { createHash } from 'node:crypto';
import { z } from 'zod';
import { unreadable, writing } from '../files/file-access.ts';
import { CommandError, exitCodes, type Io } from '../terminal/command.ts';

/** How far an import has come, and what became of it. */
export interface Tally {
  /** Of the file, from its beginning. */
  readonly rows: number;
  readonly imported: number;
  readonly duplicates: number;
  readonly failed: number;
  /** Of the file of failures. */
  readonly failureBytes: number;
}

export const nothingDone: Tally = { rows: 0, imported: 0, duplicates: 0, failed: 0, failureBytes: 0 };

/** Where an import writes down how far it has come, so that another run goes on from there. */
export interface ImportState {
  readonly before: Tally;
  save(tally: Tally): void;
}

const count = z.int().min(0);
const stateFile = z.strictObject({
  fingerprint: z.string(),
  rows: count,
  imported: count,
  duplicates: count,
  failed: count,
  failure_bytes: count,
});

/**
 * Opens the state of an import of this file in this way, `about` being all that its outcome depends on. Throws a
 * {@link CommandError} where the state is of another import: its rows would be taken for done.
 */
export async function openState(
  io: Io,
  paths: { readonly state: string; readonly file: string },
  about: readonly unknown[],
): Promise<ImportState> {
  const hash = createHash('sha256').update(JSON.stringify(about));
  try {
    for await (const chunk of io.readChunks(paths.file)) hash.update(chunk);
  } catch (error) {
    throw unreadable(paths.file, error);
  }
  const fingerprint = hash.digest('base64url');
  return {
    before: readState(io, paths.state, fingerprint) ?? nothingDone,
    save({ rows, imported, duplicates, failed, failureBytes: failure_bytes }) {
      const state: z.output<typeof stateFile> = {
        ...{ fingerprint, rows, imported, duplicates, failed, failure_bytes },
      };
      writing(paths.state, () => io.replaceFile(paths.state, `${JSON.stringify(state)}\n`));
    },
  };
}

function readState(io: Io, path: string, fingerprint: string): Tally | null {
  let text: string;
  try {
    text = io.readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw unreadable(path, error);
  }
  const state = stateFile.safeParse(parsed(text));
  if (!state.success) throw foreign(`${path} is not the state of an import`);
  const { failure_bytes: failureBytes, fingerprint: known, ...counts } = state.data;
  if (known === fingerprint) return { ...counts, failureBytes };
  throw foreign(
    `${path} is the state of another import: of another file, another service or with other flags`,
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function foreign(what: string): CommandError {
  return new CommandError(exitCodes.usage, [
    what,
    'Name another file by --state, or remove this one to begin anew.',
  ]);
}
