import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { actionlint, hadolint, helm, promtool, zizmor } from './tools.ts';

const TOOLS = [
  { name: 'helm', find: helm, variable: 'POSTERN_TEST_HELM', old: 'v2.17', recent: 'v3.99', atLeast: '3.14' },
  {
    name: 'promtool',
    find: promtool,
    variable: 'POSTERN_TEST_PROMTOOL',
    old: '2.9',
    recent: '9.0',
    atLeast: '2.40',
  },
  {
    name: 'hadolint',
    find: hadolint,
    variable: 'POSTERN_TEST_HADOLINT',
    old: '1.23.0',
    recent: '2.99.0',
    atLeast: '2.12',
  },
  {
    name: 'actionlint',
    find: actionlint,
    variable: 'POSTERN_TEST_ACTIONLINT',
    old: '1.6.27',
    recent: '1.99.0',
    atLeast: '1.7',
  },
  {
    name: 'zizmor',
    find: zizmor,
    variable: 'POSTERN_TEST_ZIZMOR',
    old: '1.2.0',
    recent: '1.99.0',
    atLeast: '1.20',
  },
];

describe('a tool of the checks', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'postern-tools-'));
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  it.each(TOOLS)(
    '$name is the one that $variable names, or else the one on the PATH',
    async ({ name, find, variable, recent }) => {
      const own = program(name, recent);
      vi.stubEnv(variable, own);
      expect(await find()).toBe(own);

      vi.stubEnv(variable, '');
      vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
      expect(await find()).toBe(own);
    },
  );

  it.each(TOOLS)(
    '$name is refused when it is older than $atLeast, or none',
    async ({ name, find, variable, old, atLeast }) => {
      vi.stubEnv(variable, program(name, old));
      await expect(find()).rejects.toThrow(`older than ${atLeast}`);

      vi.stubEnv(variable, join(folder, 'nowhere'));
      await expect(find()).rejects.toThrow(`${variable}=${join(folder, 'nowhere')}: no executable file`);
    },
  );

  /** A program that says this version, whatever it is asked. */
  function program(name: string, version: string): string {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\necho '${name} ${version}'\n`);
    chmodSync(path, 0o755);
    return path;
  }
});
