import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { adminKey, startPostern } from '../real/postern.ts';
import { repository } from './image/image-tree.ts';
import { manifestsIn, problemsIn } from './schemas.ts';

const folder = join(repository, 'deploy/secrets');
const files = readdirSync(folder);
const read = (file: string) => readFileSync(join(folder, file), 'utf8');

function specOf(file: string, kind: string): unknown {
  const found = manifestsIn(read(file)).find((manifest) => manifest.kind === kind);
  if (found === undefined) throw new Error(`${file} has no ${kind}`);
  return found.spec;
}

it('there are examples for every store that the page names', () => {
  expect(files).toEqual(['from-vault.yaml', 'generated.yaml', 'own.yaml', 'sealed.yaml']);
});

it.each(files)('%s is valid by the schemas of those who publish its kinds', (file) => {
  expect(problemsIn(read(file))).toEqual([]);
});

it('the Secret of own.yaml is the one that the chart looks for', () => {
  const values = parse(readFileSync(join(repository, 'deploy/helm/postern/values.yaml'), 'utf8'));
  const { target } = specOf('own.yaml', 'ExternalSecret') as { target: { name: string } };
  expect(values.secrets.store.name).toBe(target.name);
  const named = [values.secrets.store, values.secrets.adminKey, values.secrets.peppers];
  for (const { key } of [...named, values.secrets.consoleSession])
    expect(read('own.yaml')).toContain(`${key}:`);
});

it('what generated.yaml asks for is a key, and its answer has what the Secret takes', async () => {
  const service = await startPostern({ POSTERN_STORE: 'sqlite::memory:', POSTERN_ADMIN_KEY: adminKey });
  onTestFinished(() => service.stop());
  const { url, method, headers, body } = specOf('generated.yaml', 'Webhook') as {
    url: string;
    method: string;
    headers: Record<string, string>;
    body: string;
  };
  const authorization = String(headers.Authorization).replace('{{ .admin.key }}', adminKey);
  const answer = await fetch(`${service.url}${new URL(url).pathname}`, {
    ...{ method, body },
    headers: { ...headers, Authorization: authorization },
  });
  expect(answer.status).toBe(201);
  const { data } = (await answer.json()) as { data: Record<string, string> };
  expect(data).toMatchObject({
    id: expect.stringMatching(/^key_/),
    key: expect.stringMatching(/^pst_live_/),
  });
});
