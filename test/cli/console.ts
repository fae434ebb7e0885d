import { run } from '../../src/cli/program.ts';

/** A command line that has run: its exit code and all it wrote. */
export interface Finished {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Given {
  readonly environment?: Record<string, string>;
  readonly stdin?: string;
  /** Files that are there; what is written stands in here too. */
  readonly files?: Record<string, string>;
  /** Whether a person sits before it. */
  readonly isTerminal?: boolean;
  /** Whether what comes on standard input is typed by one. */
  readonly isTyped?: boolean;
  readonly fetch?: typeof fetch;
  /** Asks the command to end. */
  readonly stop?: AbortSignal;
  /** What is on standard output while the command runs. */
  readonly out?: { text: string };
  /** Stands still unless it is waited; what was waited for is told. */
  readonly clock?: { now: number; readonly waited: number[] };
}

/** Runs one command line as `bin/postern.js` does, with nothing of this process in it. */
export async function postern(argv: readonly string[], given: Given = {}): Promise<Finished> {
  const { environment = {}, stdin = '', files = {}, isTerminal = false } = given;
  const written = { stdout: '', stderr: '' };
  const output = (name: 'stdout' | 'stderr') => ({
    isTTY: isTerminal,
    isClosed: () => false,
    write(text: string) {
      written[name] += text;
      if (name === 'stdout' && given.out !== undefined) given.out.text += text;
    },
  });
  const { clock = { now: 0, waited: [] } } = given;
  const fileText = (path: string) => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    return text;
  };
  const exitCode = await run(argv, {
    environment,
    stdout: output('stdout'),
    stderr: output('stderr'),
    stdin: Object.assign(chunks(stdin), { isTTY: given.isTyped ?? false }),
    fetch: given.fetch ?? fetch,
    readFile: fileText,
    async *readChunks(path) {
      yield* chunks(fileText(path));
    },
    openToAppend(path, bytes) {
      files[path] = Buffer.from(files[path] ?? '')
        .subarray(0, bytes)
        .toString();
      const write = (text: string) => {
        files[path] += text;
      };
      return { write, close() {} };
    },
    fileBytes: (path) => Buffer.byteLength(fileText(path)),
    replaceFile(path, text) {
      files[path] = text;
    },
    writeFile(path, text, { isNew }) {
      if (isNew && files[path] !== undefined)
        throw Object.assign(new Error('it is there'), { code: 'EEXIST' });
      files[path] = text;
    },
    namesIn(path) {
      if (files[path] !== undefined) return null;
      const names = Object.keys(files).flatMap((name) =>
        name.startsWith(`${path}/`) ? [name.slice(path.length + 1)] : [],
      );
      if (names.length === 0) fileText(path);
      return names.toSorted();
    },
    hasText: (path) => (files[path] ?? '') !== '',
    makeFolder() {},
    writeSecret(path, text) {
      files[path] = text;
    },
    clock: {
      now: () => clock.now,
      async wait(ms) {
        clock.now += ms;
        clock.waited.push(ms);
      },
    },
    onStop: (stop) => given.stop?.addEventListener('abort', stop),
    onReload() {},
  });
  return { exitCode, ...written };
}

/** A fetch that answers every call alike, and keeps what was asked. */
export function answering(status: number, body: unknown) {
  const asked: { method: string; url: string; headers: Headers; body: unknown }[] = [];
  const fetch = async (...args: ConstructorParameters<typeof Request>) => {
    const request = new Request(...args);
    const text = await request.text();
    const { method, url, headers } = request;
    asked.push({ method, url, headers, body: text === '' ? null : JSON.parse(text) });
    return new Response(typeof body === 'string' ? body : JSON.stringify(body), { status });
  };
  return { fetch, asked };
}

async function* chunks(text: string): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  // In two parts, as a pipe may give it.
  yield bytes.subarray(0, 3);
  yield bytes.subarray(3);
}
