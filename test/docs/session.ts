import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Envoy, startEnvoy } from '../real/envoy.ts';
import { freePort } from '../real/port.ts';
import { compileCache } from '../real/postern.ts';
import { until } from '../real/until.ts';
import type { Block } from './blocks.ts';

/** The ports that pages speak of; a session has others in their place, since these may be taken. */
const PORTS = ['8080', '50051', '50052', '9000', '9901', '10000'] as const;
type Port = (typeof PORTS)[number];

const bin = fileURLToPath(new URL('../../bin/postern.js', import.meta.url));

/** A reader of a page, who does what it says: one shell for all of its blocks, in a folder that is empty at first. */
export interface Session {
  /** Does what a block says, and returns what it printed, with the ports of the page. Throws where it cannot be done. */
  follow(block: Block): Promise<{ readonly printed: string; readonly exitCode: number }>;
  stop(): Promise<void>;
}

export async function openSession(): Promise<Session> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-page-'));
  const ports = new Map<Port, number>();
  for (const port of PORTS) ports.set(port, await freePort());
  const portOf = (port: Port) => ports.get(port) ?? 0;
  const shell = openShell(folder, portOf);
  const envoys: Envoy[] = [];

  function here(text: string): string {
    return text.replaceAll(/(?<=127\.0\.0\.1:|port_value: |listen\()(\d+)\b/g, (port) =>
      String(ports.get(port as Port) ?? port),
    );
  }

  function asPrinted(text: string): string {
    return [...ports].reduce(
      (told, [page, real]) => told.replaceAll(new RegExp(`\\b${real}\\b`, 'g'), page),
      text,
    );
  }

  async function begin(text: string): Promise<void> {
    const [, config] = /^envoy -c (\S+)$/m.exec(text) ?? [];
    if (config !== undefined) {
      envoys.push(await startEnvoy({ configYaml: here(readFileSync(join(folder, config), 'utf8')) }));
      return;
    }
    const log = join(folder, `background-${Date.now()}.log`);
    await shell.run(`{ ${text.trim()}\n} > ${log} 2>&1 &`);
    const isServe = /postern serve/.test(text);
    await until(
      () => `what the page starts answers: ${text}\n${readFileSync(log, 'utf8')}`,
      async () => (isServe ? isReady(portOf('8080')) : isOpen(portOf('9000'))) || undefined,
    );
  }

  return {
    async follow({ language, role, text }) {
      if (language === 'sh' && role === 'background') {
        await begin(here(text));
        return { printed: '', exitCode: 0 };
      }
      if (language === 'sh') {
        const { printed, exitCode } = await shell.run(here(text));
        return { printed: asPrinted(printed), exitCode };
      }
      writeFileSync(join(folder, role), here(text));
      return { printed: '', exitCode: 0 };
    },
    async stop() {
      await Promise.all(envoys.map((envoy) => envoy.stop()));
      await shell.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Bash, which is told one block after the other. */
function openShell(folder: string, portOf: (port: Port) => number) {
  const tools = join(folder, '.bin');
  mkdirSync(tools);
  writeFileSync(join(tools, 'postern'), `#!/bin/sh\nexec '${process.execPath}' '${bin}' "$@"\n`);
  writeFileSync(join(tools, 'npx'), '#!/bin/sh\nexec "$@"\n');
  // The pages' programs want a Node as new as the service does.
  writeFileSync(join(tools, 'node'), `#!/bin/sh\nexec '${process.execPath}' "$@"\n`);
  for (const name of ['postern', 'npx', 'node']) chmodSync(join(tools, name), 0o755);
  const listen = (port: Port) => `127.0.0.1:${portOf(port)}`;
  const shell = spawn('bash', ['--noprofile', '--norc'], {
    cwd: folder,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      PATH: [tools, process.env.PATH].join(delimiter),
      HOME: folder,
      NODE_COMPILE_CACHE: compileCache,
      POSTERN_HTTP_LISTEN: listen('8080'),
      POSTERN_CHECK_LISTEN: listen('50051'),
      POSTERN_ADMIN_LISTEN: listen('50052'),
      POSTERN_ADDRESS: `http://${listen('8080')}`,
    },
  });
  let output = '';
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  return {
    async run(text: string) {
      output = '';
      const end = `--- ${Math.random().toString(36).slice(2)} ---`;
      shell.stdin.write(`{ ${text.trim()}\n} 2>&1\necho; echo "${end} $?"\n`);
      const exitCode = await until(
        () => `the shell has done it: ${text}\n${output}`,
        () => new RegExp(`${end} (\\d+)`).exec(output)?.[1],
      );
      return { printed: output.slice(0, output.indexOf(end)).trimEnd(), exitCode: Number(exitCode) };
    },
    stop: () => endGroup(shell),
  };
}

/** Ends the shell and all that it has started. */
async function endGroup(shell: ChildProcess): Promise<void> {
  if (shell.exitCode !== null || shell.pid === undefined) return;
  const exited = once(shell, 'exit');
  process.kill(-shell.pid, 'SIGKILL');
  await exited;
}

async function isReady(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
  return answer?.ok === true;
}

function isOpen(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, '127.0.0.1');
  socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}
