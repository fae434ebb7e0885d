import type { Command } from 'commander';
import type { z } from 'zod';
import { readAdminKey } from '../files/secret-input.ts';
import { type AddCommand, CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { describe } from '../terminal/describe.ts';
import { notPostern, refusal } from './refusal.ts';
import { type Target, unreachable } from './unreachable.ts';

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

export interface ConnectOptions {
  /** What a field that is refused is called to who runs the command. Default: the flag that sets it. */
  readonly fieldName?: (field: string) => string;
}

export async function connect(io: Io, flags: ConnectionFlags, options: ConnectOptions = {}): Promise<Client> {
  const target = targetOf(io, flags);
  const base = target.address;
  const admin = await readAdminKey(io, flags.adminKeyFile);

  return {
    address: base,
    async call(shape, method, path, body) {
      const signal = AbortSignal.timeout(answerMsMax);
      const headers = { accept: 'application/json', ...jsonType(body) };
      const sent = { method, headers, signal, ...(body !== undefined && { body: JSON.stringify(body) }) };
      const got = await reached(async () => read(await send(path, sent)));
      if (!isGood(got.status)) throw refused(got);
      const answer = shape.safeParse(got.json);
      if (answer.success) return answer.data;
      throw notPostern({ ...got, target });
    },
    async open(path, headers, signal) {
      const begun = new AbortController();
      const timer = setTimeout(() => begun.abort(new DOMException('', 'TimeoutError')), answerMsMax);
      const either = AbortSignal.any([signal, begun.signal]);
      try {
        const response = await reached(() => send(path, { method: 'GET', headers, signal: either }));
        if (isGood(response.status) && response.body !== null) return response.body;
        throw refused(await reached(() => read(response)));
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

  function refused(got: Got): CommandError {
    return refusal({ ...got, ...options, target, adminKeyFrom: admin.from });
  }

  async function reached<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw await unreachable(target, error, answerMsMax);
    }
  }
}

interface SentRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly body?: string;
}

/** An answer, read. */
interface Got {
  readonly status: number;
  /** Undefined for what is no JSON. */
  readonly json: unknown;
  readonly headers: Headers;
}

async function read(response: Response): Promise<Got> {
  const { status, headers } = response;
  return { status, headers, json: parse(await response.text()) };
}

function isGood(status: number): boolean {
  return status >= 200 && status < 300;
}

function targetOf({ environment }: Io, { address }: ConnectionFlags): Target {
  if (address) return { address: addressOf(address), from: '--address' };
  const { POSTERN_ADDRESS } = environment;
  if (POSTERN_ADDRESS) return { address: addressOf(POSTERN_ADDRESS), from: 'POSTERN_ADDRESS' };
  return { address: defaultAddress, from: null };
}

/** The address without a slash at its end; `http://` where it has no scheme. */
function addressOf(text: string): string {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (url === null || !isHttp || url.username || url.password || url.search || url.hash) {
    throw new CommandError(exitCodes.usage, [
      'the address is not a plain http:// or https:// URL',
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
