import type { Command } from 'commander';
import type { ServeProcess } from '../serving/serve.ts';

/** What a command sees of the process around it. */
export interface Io extends ServeProcess {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: AsyncIterable<Uint8Array | string> & { readonly isTTY?: boolean };
  readonly fetch: typeof fetch;
  /** The whole of a file as UTF-8; throws Node's error when it cannot be read. */
  readFile(path: string): string;
  /** The bytes of a file, piece by piece; throws Node's error when they cannot be read. */
  readChunks(path: string): AsyncIterable<Uint8Array>;
  /** Cuts a file off after so many bytes, makes it where it is not there, and adds text at its end. */
  openToAppend(path: string, bytes: number): AppendedFile;
  /** How many bytes a file has; null for what has no length, such as a pipe. Throws Node's error. */
  fileBytes(path: string): number | null;
  /** Writes a file anew, so that a reader sees either all of the old text or all of the new. */
  replaceFile(path: string, text: string): void;
  /** Writes a file; where it is to be new and is there, throws Node's error EEXIST. */
  writeFile(path: string, text: string, options: { readonly isNew: boolean }): void;
  /** The names in a folder, sorted; null for what is not a folder. Throws Node's error. */
  namesIn(path: string): readonly string[] | null;
  /** Whether there is a file with something in it. */
  hasText(path: string): boolean;
  /** Makes a folder that its owner alone may look into, where it is not there, and throws Node's error if it may not be written to. */
  makeFolder(path: string): void;
  /** Writes a file anew that its owner alone may read; a reader sees all of it, or what was there before. */
  writeSecret(path: string, text: string): void;
  readonly clock: Clock;
}

export interface Clock {
  /** Milliseconds, never set back. */
  now(): number;
  wait(ms: number): Promise<void>;
}

/** Each method throws Node's error when it cannot. */
export interface AppendedFile {
  write(text: string): void;
  close(): void;
}

export interface Output {
  write(text: string): void;
  readonly isTTY?: boolean;
  /** Whether nobody reads it any more. */
  isClosed(): boolean;
}

export const exitCodes = {
  done: 0,
  /** The service refused, or something failed. */
  failed: 1,
  usage: 2,
  /** `keys verify`: the key is not allowed. */
  denied: 3,
  /** `apply --dry-run`: something would change. */
  wouldChange: 3,
  unreachable: 4,
  /** `doctor`: the service could not be asked. */
  notAsked: 2,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends a command. The lines go to standard error: first what is wrong, then what to do about it. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;
  readonly lines: readonly string[];
  /** Whether the same call may go well in a while: the service was away. */
  readonly isPassing: boolean;
  /** What the service calls its refusal, as in `OWNER_NOT_FOUND`; null for none. */
  readonly reason: string | null;

  constructor(
    exitCode: ExitCode,
    lines: readonly string[],
    { isPassing = false, reason = null }: { isPassing?: boolean; reason?: string | null } = {},
  ) {
    super(lines.join('\n'));
    this.name = 'CommandError';
    this.exitCode = exitCode;
    this.lines = lines;
    this.isPassing = isPassing;
    this.reason = reason;
  }
}

/** Adds commands to the program, of which `exit` takes the code of one that ends well. */
export type AddCommands = (program: Command, io: Io, exit: (code: number) => void) => void;

/** Adds a command under another, with the flags that all who call the service share. */
export type AddCommand = (name: string, description: string, examples: readonly string[]) => Command;
