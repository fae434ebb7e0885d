import { CommandError, exitCodes, type Io } from '../terminal/command.ts';

const inputBytesMax = 65_536;

/**
 * The admin key, from the file that the flag names (`-` for standard input), from POSTERN_ADMIN_KEY or from the
 * file that POSTERN_ADMIN_KEY_FILE names, in this order, and where it was found. Never from a flag itself, which
 * every user of the machine could read.
 */
export async function readAdminKey(io: Io, flag: string | undefined): Promise<{ key: string; from: string }> {
  if (flag !== undefined) {
    const text = flag === '-' ? await readStandardInput(io, 'the admin key') : readSecretFile(io, flag);
    return { key: adminKeyIn(text, '--admin-key-file'), from: `--admin-key-file ${flag}` };
  }
  const { POSTERN_ADMIN_KEY: text, POSTERN_ADMIN_KEY_FILE: path } = io.environment;
  if (text && path) {
    const lines = ['POSTERN_ADMIN_KEY and POSTERN_ADMIN_KEY_FILE are both set', 'Set one of them.'];
    throw new CommandError(exitCodes.usage, lines);
  }
  if (text) return { key: adminKeyIn(text, 'POSTERN_ADMIN_KEY'), from: 'POSTERN_ADMIN_KEY' };
  if (path) {
    const key = adminKeyIn(readSecretFile(io, path), 'POSTERN_ADMIN_KEY_FILE');
    return { key, from: `POSTERN_ADMIN_KEY_FILE (${path})` };
  }
  throw new CommandError(exitCodes.usage, ['there is no admin key to call with', adminKeyHint]);
}

export const adminKeyHint =
  'Set POSTERN_ADMIN_KEY, or name a file by POSTERN_ADMIN_KEY_FILE or --admin-key-file (- for standard input).';

/** Standard input to its end, without the line feed there. `what` says to a person what to paste. */
export async function readStandardInput(
  { stdin, stderr }: Io,
  what: string,
  bytesMax = inputBytesMax,
): Promise<string> {
  if (stdin.isTTY) stderr.write(`Paste ${what}, then press Enter and Ctrl-D:\n`);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const part = Buffer.from(chunk as Uint8Array);
    bytes += part.length;
    if (bytes > bytesMax) throw new CommandError(exitCodes.usage, [`standard input is too long for ${what}`]);
    chunks.push(part);
  }
  return withoutLineEnd(Buffer.concat(chunks).toString());
}

/** A file's text, without the line feed at its end. */
export function readSecretFile(io: Io, path: string): string {
  try {
    return withoutLineEnd(io.readFile(path));
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new CommandError(exitCodes.usage, [
      `${path} cannot be read: ${why}`,
      'Name a file that holds a key.',
    ]);
  }
}

/** The key that a command is about: from the file that a flag names, else from standard input. */
export async function readPresentedKey(
  io: Io,
  { keyFile, adminKeyFile }: { readonly keyFile?: string; readonly adminKeyFile?: string },
): Promise<string> {
  if (keyFile !== undefined && keyFile !== '-') return readSecretFile(io, keyFile);
  if (adminKeyFile !== '-') return readStandardInput(io, 'the key');
  throw new CommandError(exitCodes.usage, [
    'standard input cannot hold both the key and the admin key',
    'Give the key by --key-file, or the admin key by POSTERN_ADMIN_KEY.',
  ]);
}

function adminKeyIn(text: string, from: string): string {
  const key = text.trim();
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  const what = key === '' ? 'is empty' : 'holds more than one key: it has spaces, lines or odd characters';
  throw new CommandError(exitCodes.usage, [`${from} ${what}`, adminKeyHint]);
}

function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, '');
}
