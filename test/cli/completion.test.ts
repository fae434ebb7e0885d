import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { postern } from './console.ts';
import { commandsOf } from './help.ts';

/** What bash offers for the last of these words, as it splits them. */
async function bash(...lines: readonly (readonly string[])[]): Promise<string[][]> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-completion-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const script = join(folder, 'completion.bash');
  writeFileSync(script, (await postern(['completion', 'bash'])).stdout);
  writeFileSync(join(folder, 'a file.yaml'), '');
  const quoted = lines.map((words) => words.map((word) => `'${word}'`).join(' '));
  const tries = quoted.map(
    (words) => `COMP_WORDS=(${words}); COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 )); _postern; show`,
  );
  const show = `show() { local IFS='|'; echo "\${COMPREPLY[*]}"; }`;
  const stdout = execFileSync(
    'bash',
    ['--noprofile', '--norc', '-uc', `source ${script}; ${show}; cd ${folder}; ${tries.join('\n')}`],
    { encoding: 'utf8', env: { PATH: process.env.PATH } },
  );
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => (line === '' ? [] : line.split('|')));
}

it('completes commands, flags and values in bash', async () => {
  const [root, keys, ro, flags, states, split, files, shells] = await bash(
    ['postern', ''],
    ['postern', 'keys', ''],
    ['postern', 'keys', 'ro'],
    ['postern', 'keys', 'list', '--s'],
    ['postern', 'keys', 'list', '--state', ''],
    ['postern', 'keys', 'list', '--state', '=', 're'],
    ['postern', 'serve', '--config', 'a'],
    ['postern', 'completion', ''],
  );

  expect(root).toEqual(
    expect.arrayContaining(['serve', 'keys', 'owners', 'audit', 'import', 'doctor', 'config']),
  );
  expect(keys).toEqual(expect.arrayContaining(['create', 'update', 'rotate', 'help', '--help']));
  expect(ro).toEqual(['rotate']);
  expect(flags).toEqual(['--scheme', '--state', '--search']);
  expect(states).toEqual(['active', 'disabled', 'revoked', 'expired']);
  expect(split).toEqual(['revoked']);
  expect(files).toEqual(['a file.yaml']);
  expect(shells).toEqual(['bash', 'zsh', 'fish']);
});

it('takes no value of a flag for a command', async () => {
  const offered = await bash(
    ['postern', 'keys', 'create', '--name', 'list', '--sch'],
    ['postern', 'keys', 'list', '--owner', 'create', '--state', 'd'],
    ['postern', 'keys', 'list', '--address', 'http', ':', '//a', ':', '80', '--state', 'd'],
    ['postern', 'completion', 'bash', '--h'],
    ['postern', 'keys', 'list', '--owner', ''],
  );

  expect(offered).toEqual([['--scheme'], ['disabled'], ['disabled'], ['--help'], []]);
});

it.each(['bash', 'zsh', 'fish'])('names every command and every flag in the script for %s', async (shell) => {
  const { stdout, exitCode } = await postern(['completion', shell]);

  expect(exitCode).toBe(0);
  for (const { path, flags } of await commandsOf()) {
    const words = [...path.slice(-1), ...flags].map((word) =>
      shell === 'fish' ? word.replace(/^--/, '--long-option ') : word,
    );
    for (const word of words) expect(stdout).toContain(word);
  }
});

it('offers no name of a call that the API does not have', async () => {
  const [offered = []] = await bash(['postern', 'audit', 'list', '--action', '']);
  const proto = readFileSync(
    new URL('../../proto/postern/admin/v1/key_admin.proto', import.meta.url),
    'utf8',
  );

  expect(offered.length).toBeGreaterThan(5);
  for (const name of offered) expect(proto).toContain(`rpc ${name}(`);
});

it('names the shells that there are to one who asks for another', async () => {
  const refused = await postern(['completion', 'tcsh']);

  expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
  expect(refused.stderr).toContain('Allowed choices are bash, zsh, fish.');
});
