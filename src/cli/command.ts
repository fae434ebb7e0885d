import type { Command } from 'commander';
import type { ServeProcess } from './serve.ts';

/** What a command sees of the process around it. */
export interface Io extends ServeProcess {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: AsyncIterable<Uint8Array | string> & { readonly isTTY?: boolean };
  readonly fetch: typeof fetch;
  /** The whole of a file as UTF-8; throws Node's error when it can not be read. */
  readFile(path: string): string;
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
  /** `keys verify`: the key is not let in. */
  denied: 3,
  unreachable: 4,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends a command. The lines go to standard error: first what is wrong, then what to do about it. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;
  readonly lines: readonly string[];

  constructor(exitCode: ExitCode, lines: readonly string[]) {
    super(lines.join('\n'));
    this.name = 'CommandError';
    this.exitCode = exitCode;
    this.lines = lines;
  }
}

/** Adds a command under another, with the flags that all who call the service share. */
export type AddCommand = (name: string, description: string, examples: readonly string[]) => Command;
