import type { Command } from 'commander';
import type { z } from 'zod';
import { type AddCommand, CommandError, exitCodes, type Io } from './command.ts';
import { describe } from './describe.ts';
import { printable } from './output.ts';
import { notPostern, refusal } from './refusal.ts';
import { readAdminKey } from './secret-input.ts';

/** What every command that calls the service takes. */
export interface ConnectionFlags {
  readonly address?: string;
  readonly adminKeyFile?: string;
}

/** The REST API, as one who holds an admin key. */
export interface Client {
  /** Where the service is, as it was given: a URL without a slash at its end. */
  readonly address: string;
  /**
   * A good answer, read by its shape. Throws a {@link CommandError}: with exit code 4 when nobody answers, with 1
   * when the service refuses or something else answers in its place.
   */
  call<T extends z.ZodType>(shape: T, method: string, path: string, body?: unknown): Promise<z.output<T>>;
  /**
   * The bytes of an answer that lasts, once it has begun, until the signal aborts. Throws as `call` does; the answer
   * itself throws whatever cuts it off.
   */
  open(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Bytes>;
}

type Bytes = AsyncIterable<Uint8Array>;

const defaultAddress = 'http://127.0.0.1:8080';
const answerMsMax = 30_000;

/** Commands under `parent` that call the service. */
export function callingCommands(parent: Command): AddCommand {
  return (name, description, examples) => {
    const command = parent.command(name);
    describe(command, description, examples);
    return command
      .optionsGroup('Connection:')
      .option('--address <url>', `the service, else POSTERN_ADDRESS (default: ${defaultAddress})`)
      .option('--admin-key-file <file>', 'the admin key, - for standard input, else POSTERN_ADMIN_KEY[_FILE]')
      .optionsGroup('Options:');
  };
}

export async function connect(io: Io, flags: ConnectionFlags): Promise<Client> {
  const base = addressOf(flags.address || io.environment.POSTERN_ADDRESS || defaultAddress);
  const admin = await readAdminKey(io, flags.adminKeyFile);

  return {
    address: base,
    async call(shape, method, path, body) {
      const signal = AbortSignal.timeout(answerMsMax);
      const headers = { accept: 'application/json', ...jsonType(body) };
      const sent = { method, headers, signal, ...(body !== undefined && { body: JSON.stringify(body) }) };
      const { status, json } = await reached(async () => read(await send(path, sent)));
      if (!isGood(status)) throw refused(status, json);
      const answer = shape.safeParse(json);
      if (answer.success) return answer.data;
      throw notPostern(base, status);
    },
    async open(path, headers, signal) {
      const begun = new AbortController();
      const timer = setTimeout(() => begun.abort(new DOMException('', 'TimeoutError')), answerMsMax);
      const either = AbortSignal.any([signal, begun.signal]);
      try {
        const response = await reached(() => send(path, { method: 'GET', headers, signal: either }));
        if (isGood(response.status) && response.body !== null) return response.body;
        throw refused(response.status, (await reached(() => read(response))).json);
      } finally {
        clearTimeout(timer);
      }
    },
  };

  function send(path: string, { headers, ...request }: SentRequest): Promise<Response> {
    return io.fetch(base + path, {
      ...request,
      headers: { authorization: `Bearer ${admin.key}`, ...headers },
      // A redirect would carry the admin key to wherever it points.
      redirect: 'manual',
    });
  }

  function refused(status: number, json: unknown): CommandError {
    return refusal({ status, json, address: base, adminKeyFrom: admin.from });
  }

  async function reached<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      const lines = [
        `${base} can not be reached: ${whyUnreachable(error)}`,
        'Start the service with "postern serve", or say where it listens by --address or POSTERN_ADDRESS.',
      ];
      throw new CommandError(exitCodes.unreachable, lines, { isPassing: true });
    }
  }
}

interface SentRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly body?: string;
}

async function read(response: Response): Promise<{ status: number; json: unknown }> {
  return { status: response.status, json: parse(await response.text()) };
}

function isGood(status: number): boolean {
  return status >= 200 && status < 300;
}

/** The address without a slash at its end; `http://` where it has no scheme. */
function addressOf(text: string): string {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (url === null || !isHttp || url.username || url.password || url.search || url.hash) {
    throw new CommandError(exitCodes.usage, [
      'the address is no plain http:// or https:// URL',
      `Write it as ${defaultAddress}, by --address or POSTERN_ADDRESS.`,
    ]);
  }
  return (url.origin + url.pathname).replace(/\/+$/, '');
}

function jsonType(body: unknown): Record<string, string> {
  return body === undefined ? {} : { 'content-type': 'application/json' };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const networkErrors: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'the connection was cut off',
  UND_ERR_SOCKET: 'the connection was cut off',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name can not be looked up now',
  ETIMEDOUT: 'the connection timed out',
  UND_ERR_CONNECT_TIMEOUT: 'the connection timed out',
};

function whyUnreachable(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  if (error.name === 'TimeoutError') return `no answer within ${answerMsMax / 1_000} s`;
  const cause = error.cause as { code?: string; message?: string } | undefined;
  return printable(networkErrors[cause?.code ?? ''] ?? (cause?.message || error.message));
}
