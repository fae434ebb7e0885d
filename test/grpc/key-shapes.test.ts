import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Allowed } from '../../src/check/authorize.ts';
import { BackwardWriter } from '../../src/grpc/check/backward-writer.ts';
import { createKeyShapes, type KeyShapes } from '../../src/grpc/check/key-shapes.ts';
import type { KeyId } from '../../src/keys/key.ts';
import { readPresets } from '../../src/presets/read.ts';
import type { Scheme } from '../../src/schemes/scheme.ts';
import { keyRecord } from '../records.ts';

describe('what is told of a key', () => {
  it('is byte for byte the same whether it was told of keys like it before or not', () => {
    fc.assert(
      fc.property(fc.array(alike, { minLength: 60, maxLength: 100 }), (sequence) => {
        const [kept, whole] = [createKeyShapes(tag, { shapesMax: 20, wholeMax: 20 }), neverKept()];
        const differ = sequence.filter((allowed) => !told(kept, allowed).equals(told(whole, allowed)));
        expect(differ).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });

  it('is right of keys of more kinds than are kept', () => {
    const [kept, whole] = [createKeyShapes(tag), neverKept()];
    const many = Array.from({ length: 2_500 }, (_, at) =>
      allowedFor({ name: 'n'.repeat(at % 250), owner: 'o'.repeat(1 + (at % 11)) }),
    );
    expect(many.filter((allowed) => !told(kept, allowed).equals(told(whole, allowed)))).toEqual([]);
  });
});

const tag = 18;
const scheme = readPresets().get('postern') as Scheme;
const lists: readonly (readonly string[])[] = [[], ['read'], ['read', 'write']];

function neverKept(): KeyShapes {
  return createKeyShapes(tag, { shapesMax: 0, wholeMax: Number.POSITIVE_INFINITY });
}

/** Behind what was written before it, as in an answer. */
function told(shapes: KeyShapes, allowed: Allowed): Buffer {
  const writer = new BackwardWriter();
  writer.text(tag, 'behind');
  shapes.writeMembers(writer, allowed);
  shapes.writeHeaders(writer, allowed);
  return writer.take();
}

interface Told {
  readonly id?: string;
  readonly name: string;
  readonly owner: string | null;
  readonly scheme?: string;
  readonly environment?: string;
  readonly permissions?: readonly string[];
  readonly plan?: string | null;
}

function allowedFor({
  permissions = lists[1] as readonly string[],
  plan = null,
  id,
  ...given
}: Told): Allowed {
  const key = keyRecord(id === undefined ? given : { ...given, id: id as KeyId });
  const nothing = { headers: [], changed: [], parameters: [] };
  return {
    ...{ verdict: 'allow', key, scheme, owner: null, permissions, plan, rate: null },
    withheld: nothing,
  };
}

/** Few lengths, so that most are like one before, of characters of one byte and of several. */
const alike = fc
  .record({
    id: fc.constantFrom('key_1', 'key_2', 'key_é', 'key_30'),
    name: fc.constantFrom('ab', 'cd', 'é1', '\u007f\u0080', '', 'n'.repeat(200), 'n'.repeat(1_024)),
    owner: fc.constantFrom('aa', 'bb', 'cé', 'ddd', null),
    scheme: fc.constantFrom('first', 'other'),
    environment: fc.constantFrom('live', 'test'),
    permissions: fc.constantFrom(...lists.slice(1)),
    plan: fc.constantFrom(null, 'pro', 'max'),
  })
  .map(allowedFor);
