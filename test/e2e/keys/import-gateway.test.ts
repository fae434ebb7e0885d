import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { postern } from '../../cli/console.ts';
import { adminKey, startPostern } from '../../real/postern.ts';

it('takes in keys of Kong and APISIX by the settings of docs/import.md, and allows them', async () => {
  const settings = /### Keys of other gateways.*?```yaml\n(.*?)```/s.exec(
    readFileSync('docs/import.md', 'utf8'),
  )?.[1];
  const folder = await mkdtemp(join(tmpdir(), 'postern-gateway-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'postern.yaml'), settings ?? '');
  const service = await startPostern({ POSTERN_CONFIG: join(folder, 'postern.yaml') });
  onTestFinished(() => service.stop());
  const [kong, apisix] = [0, 1].map(() => randomBytes(16).toString('hex'));
  const files = {
    'kong.yaml': `_format_version: '3.0'\nconsumers:\n- username: acme\n  keyauth_credentials: [{ key: ${kong} }]\n`,
    'apisix.yaml': `consumers:\n- username: other\n  plugins: { key-auth: { key: ${apisix} } }\n#END\n`,
  };
  const environment = { POSTERN_ADDRESS: service.url, POSTERN_ADMIN_KEY: adminKey };

  for (const [file, key] of [
    ['kong.yaml', kong],
    ['apisix.yaml', apisix],
  ] as const) {
    const done = await postern(['import', file, '--scheme', 'gateway'], { environment, files });
    expect(done).toMatchObject({ exitCode: 0, stderr: '' });
    const checked = await postern(['keys', 'verify', '--scheme', 'gateway'], {
      environment,
      stdin: key ?? '',
    });
    expect(checked).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^allowed key_/) });
  }
});
