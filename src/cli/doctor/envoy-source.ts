import { parseDocument } from 'yaml';
import { CommandError, exitCodes, type Io } from '../terminal/command.ts';

const bytesMax = 64 * 2 ** 20;
const answerMsMax = 10_000;
const cure =
  "Name a file, - for standard input, or the address of an Envoy's admin endpoint: --envoy http://127.0.0.1:9901.";

/** The configuration from a file, a URL, or `-` for standard input. Throws a {@link CommandError} where there is none. */
export async function readEnvoySource(io: Io, source: string): Promise<unknown> {
  const name = nameOf(source);
  const text = await gather(await open(io, source), name);
  if (text.trim() === '') throw unusable(`${name} is empty`);
  return parse(text, name);
}

async function open(io: Io, source: string): Promise<AsyncIterable<Uint8Array | string>> {
  if (source === '-') return io.stdin;
  if (!/^https?:\/\//i.test(source)) return io.readChunks(source);
  const url = URL.parse(source);
  if (url === null || url.username || url.password)
    throw unusable('the address of the Envoy is not a plain URL');
  if (url.pathname === '/') url.pathname = '/config_dump';
  try {
    const signal = AbortSignal.timeout(answerMsMax);
    const { status, body } = await io.fetch(url.href, { signal, redirect: 'manual' });
    if (status === 200 && body !== null) return body;
    throw unusable(`the Envoy answered with ${status}`);
  } catch (thrown) {
    throw thrown instanceof CommandError ? thrown : unusable('the Envoy cannot be reached');
  }
}

async function gather(chunks: AsyncIterable<Uint8Array | string>, name: string): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      const part = Buffer.from(chunk as Uint8Array);
      bytes += part.length;
      if (bytes > bytesMax) throw unusable(`${name} is longer than ${bytesMax / 2 ** 20} MiB`);
      parts.push(part);
    }
  } catch (thrown) {
    if (thrown instanceof CommandError) throw thrown;
    const { code = 'the connection was cut off' } = thrown as NodeJS.ErrnoException;
    throw unusable(`${name} cannot be read: ${code}`);
  }
  return Buffer.concat(parts).toString();
}

/** JSON as the admin endpoint answers it, or YAML as Envoy is started with. */
function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // An answer is JSON; what is not may be a file of the operator's.
  }
  if (text.length > yamlLengthMax) throw unusable(`${name} is not JSON`);
  try {
    const document = parseDocument(text, { logLevel: 'silent' });
    if (document.errors.length === 0) return document.toJS({ maxAliasCount: 100 });
  } catch {
    // Nested too deep, or aliases of aliases.
  }
  throw unusable(`${name} is neither JSON nor YAML`);
}

const yamlLengthMax = 4 * 2 ** 20;

function nameOf(source: string): string {
  if (source === '-') return 'standard input';
  return /^https?:\/\//i.test(source) ? "the Envoy's answer" : source;
}

function unusable(what: string): CommandError {
  return new CommandError(exitCodes.usage, [what, cure]);
}
