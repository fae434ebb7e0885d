import { CommandError, exitCodes } from '../terminal/command.ts';

/** What `read` answers; throws a {@link CommandError} in place of Node's error. */
export function reading<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** What `write` answers; throws a {@link CommandError} in place of Node's error. */
export function writing<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    const code = codeOf(error);
    throw code === null ? error : new CommandError(exitCodes.failed, [`${path} cannot be written: ${code}`]);
  }
}

/** The {@link CommandError} in place of Node's error; another error as it is. */
export function unreadable(path: string, error: unknown): unknown {
  const code = codeOf(error);
  return code === null ? error : new CommandError(exitCodes.usage, [`${path} cannot be read: ${code}`]);
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error ? String(error.code) : null;
}
