import {
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { KeyAdminService } from '../../src/grpc/gen/postern/admin/v1/key_admin.ts';
import { requestOf } from '../admin-model/wires/grpc-requests.ts';
import { sendRaw } from '../http/listener.ts';
import { adminKey, type Postern, startPostern } from '../real/postern.ts';
import { until } from '../real/until.ts';
import { strangeTexts } from '../store-contract/setting.ts';
import { bodies, queries } from './requests.ts';
import { badValues, otherTypes, tracer } from './values.ts';

let postern: Postern;
beforeAll(async () => {
  postern = await startPostern({ POSTERN_LOG_LEVEL: 'trace' });
  await until('the banner is printed', () => postern.log().includes('Make an API key:'));
});
afterAll(() => postern?.stop());

const authorization = `Bearer ${adminKey}`;

/** Runs what is bad; expects that the log goes on in lines that are one JSON object each, and tell nothing of it. */
async function expectLines(act: () => Promise<number>): Promise<Record<string, unknown>[]> {
  const began = postern.log().length;
  const requests = await act();
  const added = () => postern.log().slice(began).split('\n').slice(0, -1);
  const isRequest = (line: string) => line.includes('"HTTP request"');
  await until('all is logged', () => added().filter(isRequest).length >= requests);
  const lines = added().map((line) => {
    expect(line).toMatch(/^\{"level":\d+,.*\}$/);
    expect(line).not.toMatch(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u);
    expect(line).not.toContain(tracer);
    expect(line).not.toContain(adminKey);
    return JSON.parse(line) as Record<string, unknown>;
  });
  expect(lines.filter(({ msg }) => msg === 'HTTP request')).toHaveLength(requests);
  expect(lines.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  return lines;
}

it('each bad request over REST is one line of the log, without what was sent', async () => {
  const lines = await expectLines(async () => {
    let requests = 0;
    for (const { method, path, good, fields } of [...bodies, ...queries]) {
      for (const [field, kind] of Object.entries(fields)) {
        const others = method === 'GET' ? [] : otherTypes(kind).slice(0, 3);
        for (const [, value] of [...badValues[kind].slice(0, 6), ...others]) {
          if (method === 'GET' && String(value) === '') continue;
          const query = method === 'GET' ? `?${new URLSearchParams({ [field]: String(value) })}` : '';
          const response = await fetch(
            postern.url + path.replace('{id}', encodeURIComponent(`${tracer}\n`)) + query,
            {
              ...{ method, headers: { authorization } },
              body: method === 'GET' ? null : JSON.stringify({ ...good, [field]: value }),
            },
          );
          expect([400, 404]).toContain(response.status);
          await response.text();
          requests++;
        }
      }
    }
    return requests;
  });
  // The route's pattern, and never the path.
  for (const { msg, route } of lines)
    if (msg === 'HTTP request') expect(String(route)).toMatch(/^\/admin\/[a-z/:-]*$/);
});

it('headers and paths of any text leave no trace', async () => {
  const port = Number(new URL(postern.url).port);
  await expectLines(async () => {
    const heads = [
      `GET /admin/api-keys HTTP/1.1\r\nAuthorization: Bearer ${tracer}\xe9\r\n`,
      `GET /admin/api-keys HTTP/1.1\r\nAuthorization: ${authorization}\r\nX-Request-Id: ${tracer}\u0085\r\nIf-Match: ${tracer}\r\n`,
      `GET /admin/${tracer}%0a%e2%80%ae HTTP/1.1\r\n`,
      `DELETE /admin/api-keys/${tracer}%00 HTTP/1.1\r\nAuthorization: ${authorization}\r\n`,
      `PATCH /admin/api-keys/${tracer} HTTP/1.1\r\nAuthorization: ${authorization}\r\nIf-Match: "${tracer}"\r\nContent-Length: 2\r\n`,
    ];
    for (const head of heads) {
      const body = head.includes('Content-Length') ? '{}' : '';
      const answer = await sendRaw(port, `${head}Host: a\r\nConnection: close\r\n\r\n${body}`);
      expect(answer).toMatch(/^HTTP\/1.1 [24]\d\d /);
    }
    return heads.length;
  });
});

it('names that look like code, operators or forged lines are kept as they are, and come back so', async () => {
  const names = strangeTexts.filter((name) => /^[^\p{Cc}\u202e]{1,200}$/u.test(name));
  expect(names.length).toBeGreaterThan(9);
  await expectLines(async () => {
    for (const name of names) {
      const call = async (path: string, body?: object) => {
        const headers = { authorization };
        const given =
          body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) };
        return (await (await fetch(`${postern.url}/admin/api-keys${path}`, given)).json()) as {
          data: object;
        };
      };
      const labels = { constructor: name, prototype: name, toString: '' };
      const made = await call('', { name, labels });
      expect(made.data).toMatchObject({ name, labels });
      const found = await call(`?${new URLSearchParams({ name_contains: name })}`);
      expect(found.data).toContainEqual(expect.objectContaining({ name, labels }));
    }
    return names.length * 2;
  });
});

it('bad requests over gRPC are refused, and the log is silent', async () => {
  const { host, port } = postern.admin;
  const Methods = makeGenericClientConstructor(KeyAdminService, 'KeyAdmin');
  const client = new Methods(`${host}:${port}`, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('authorization', authorization);
  metadata.set('x-request-id', tracer.repeat(20));
  const call = (rpc: string, message: object) =>
    new Promise<ServiceError | null>((resolve) => {
      (client[rpc] as (...given: unknown[]) => void).call(client, message, metadata, resolve);
    });
  try {
    await expectLines(async () => {
      for (const [, name] of badValues.name) {
        const message = requestOf({ operation: 'createKey', input: { name } });
        expect((await call('createKey', message))?.code).toBe(status.INVALID_ARGUMENT);
      }
      for (const id of [tracer, `${tracer}\n`, '$ne', '']) {
        expect((await call('getKey', { id }))?.code).toBe(status.NOT_FOUND);
      }
      return 0;
    });
  } finally {
    client.close();
  }
});
