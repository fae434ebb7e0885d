import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { patient } from './patient.ts';

const deploy = fileURLToPath(new URL('../../deploy/', import.meta.url));
const templates = fileURLToPath(new URL('../../src/cli/init/templates/', import.meta.url));
const SHORT = /timeout:? *=? *(0\.\d+s|\d{1,3}ms|\d{1,3})\b(?!\.)/i;

async function configurations(): Promise<string[]> {
  const folders = [...['envoy', 'nginx', 'caddy', 'haproxy'].map((name) => join(deploy, name)), templates];
  const files = await Promise.all(
    folders.map(async (folder) => (await readdir(folder)).map((file) => join(folder, file))),
  );
  return files.flat().filter((file) => /\.(yaml|conf|cfg|lua)$|Caddyfile$/.test(file));
}

const shortTimes = (file: string, text: string) =>
  text
    .split('\n')
    .filter((line) => SHORT.test(line))
    .map((line) => `${file}: ${line.trim()}`);

it('leaves no configuration that the tests start with a time under a second', async () => {
  // Istio's and Envoy Gateway's are started by nobody here.
  const files = (await configurations()).filter((file) => !/istio|gateway/.test(file));
  const shipped = await Promise.all(
    files.map(async (file) => ({ file, text: await readFile(file, 'utf8') })),
  );
  expect(shipped.flatMap(({ file, text }) => shortTimes(file, text)).length).toBeGreaterThan(6);
  expect(shipped.flatMap(({ file, text }) => shortTimes(file, patient(text)))).toEqual([]);
});
