import { readFileSync } from 'node:fs';
import {
  create,
  createFileRegistry,
  type DescField,
  type DescMessage,
  fromBinary,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { status } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { ImportKeysResponse } from '../../src/grpc/gen/postern/admin/v1/key_admin.ts';
import { type Refused, startAdmin } from './admin-client.ts';

const descriptors = readFileSync(new URL('../../src/grpc/gen/descriptors.binpb', import.meta.url));
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptors));
const service = registry.getService('postern.admin.v1.KeyAdmin');

type Path = readonly DescField[];

/** The ways to each int64 of a message, through messages and lists of them. */
function int64sOf(message: DescMessage, above: Path = []): Path[] {
  return message.fields.flatMap((field): Path[] => {
    const path = [...above, field];
    const { scalar } = field;
    if (scalar === ScalarType.INT64) return [path];
    const within = field.message ?? undefined;
    return within === undefined || above.length > 3 ? [] : int64sOf(within, path);
  });
}

/** The bytes of a message in which nothing but this number is set, and what an import reads before. */
function withNumber(type: DescMessage, path: Path, value: bigint): Uint8Array {
  const [field, ...rest] = path;
  const message = reflect(type, create(type));
  if (field === undefined) throw new Error('There is no field');
  const name = type.field.name;
  if (name?.scalar === ScalarType.STRING) message.set(name, 'x');
  const child = field.message;
  const limit = type.field.limit;
  if (limit?.scalar === ScalarType.INT64) message.set(limit, 1n);
  if (child === undefined) message.set(field, value);
  else {
    const inner = reflect(child, fromBinary(child, withNumber(child, rest, value)));
    if (field.fieldKind === 'list') message.get(field).add(inner);
    else message.set(field, inner);
  }
  return toBinary(type, message.message);
}

/** An import says of each key why it was not taken in. */
function importRefusal(answer: Buffer): Pick<Refused, 'code' | 'fields'> {
  const { failures } = ImportKeysResponse.decode(answer);
  return { code: failures.length === 1 ? status.INVALID_ARGUMENT : status.OK, fields: failures };
}

const numbers = [2n ** 53n, 2n ** 63n - 1n, -(2n ** 53n), -(2n ** 63n)];

// Of UpdateKey, UpdateOwner and the like a mask says what is read; without one it is all that is set.
it('a number beyond 2^53 in any field of a request is refused by its field, never as a fault of ours', async () => {
  const admin = await startAdmin();
  const methods = service?.methods ?? [];
  const tried: string[] = [];
  const wrong: string[] = [];

  for (const { localName, input } of methods) {
    for (const path of int64sOf(input)) {
      const names = path.map(({ name }) => name);
      tried.push(`${localName}.${names.join('.')}`);
      const answers = numbers.map(async (number) => {
        const answer = await admin.sendBytes(localName, withNumber(input, path, number));
        const { code, fields } = Buffer.isBuffer(answer) ? importRefusal(answer) : answer;
        // Seconds of a time or duration are told as it.
        const named =
          names.filter((name) => name !== 'seconds' && name !== 'key' && name !== 'owner').at(-1) ?? '';
        const isNamed = fields.some(({ field }) => field.split('.').includes(named));
        if (code !== status.INVALID_ARGUMENT || !isNamed) {
          wrong.push(`${localName}.${names.join('.')} ${number}: ${code} ${JSON.stringify(fields)}`);
        }
      });
      await Promise.all(answers);
    }
  }

  expect(wrong).toEqual([]);
  expect(tried).toEqual(
    expect.arrayContaining([
      ...[
        'chargeKey.units',
        'createKey.rate_limits.limit',
        'createKey.rate_limit.limit',
        'putOwner.keys_max',
      ],
      ...[
        'createKey.expires_at.seconds',
        'rotateKey.grace_period.seconds',
        'importKeys.keys.rate_limits.limit',
      ],
    ]),
  );
  expect(admin.broken).toEqual([]);
});
