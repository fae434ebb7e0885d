/** Makes an API key, once, and prints what to do with it: `node first-key.ts POSTERN ADMIN_KEY_FILE EDGE`. */
import { readFileSync } from 'node:fs';

const [postern, adminKeyFile, edge] = process.argv.slice(2);
if (!postern || !adminKeyFile || !edge) {
  throw new Error('expected: node first-key.ts POSTERN ADMIN_KEY_FILE EDGE');
}

const response = await fetch(`${postern}/admin/api-keys`, {
  method: 'POST',
  headers: { authorization: `Bearer ${readFileSync(adminKeyFile, 'utf8').trim()}` },
  // A second start asks for the same key again, and is not shown its secret.
  body: JSON.stringify({ name: 'First key', owner: 'demo', request_id: 'compose-first-key' }),
});
if (!response.ok) throw new Error(`no key could be made: ${response.status} ${await response.text()}`);
const { data } = (await response.json()) as { data: { id: string; key?: string | null } };
process.stdout.write(`${data.key ? firstLines(data.id, data.key) : laterLines(data.id)}\n`);

function firstLines(id: string, key: string): string {
  return `
Made the key ${id}. Its secret is shown here and nowhere else.

# 200: the upstream answers with what it was sent: x-postern-*, and no key.
curl -sSi ${edge}/ -H 'Authorization: Bearer ${key}'

# 401: no key.
curl -sSi ${edge}/

# Revokes it; then the first line is answered with 401.
docker compose run --rm cli keys revoke ${id}`;
}

function laterLines(id: string): string {
  return `
The key ${id} was made at an earlier start, which showed its secret. Another one:

docker compose run --rm cli keys create --name 'Another key' --owner demo`;
}
