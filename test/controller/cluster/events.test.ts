import { describe, expect, it } from 'vitest';
import { type Cluster, ClusterError } from '../../../src/controller/cluster/cluster.ts';
import { createEventRecorder, type Told } from '../../../src/controller/cluster/events.ts';
import { apiKeyKind, type ClusterObject, roleKind } from '../../../src/controller/cluster/objects.ts';

const refused: Told = {
  type: 'Warning',
  reason: 'PosternRefused',
  action: 'Reconcile',
  note: 'no such role',
};

interface Call {
  readonly method: string;
  readonly path: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever is sent
  readonly body: any;
}

function object(name: string, namespace?: string): ClusterObject {
  return { metadata: { name, ...(namespace && { namespace }), uid: `uid-of-${name}`, resourceVersion: '1' } };
}

/** A recorder, what it sends, and a hand on its clock. */
function setUp(answer: (call: Call) => void = () => {}) {
  const calls: Call[] = [];
  const troubles: unknown[] = [];
  const clock = { ms: 0 };
  const cluster: Pick<Cluster, 'call'> = {
    async call(method, path, body) {
      const call = { method, path, body };
      calls.push(call);
      answer(call);
      return {};
    },
  };
  const recorder = createEventRecorder(cluster as Cluster, {
    identity: 'pod-1_abc',
    monotonic: () => clock.ms,
    onTrouble: (error) => troubles.push(error),
  });
  return { calls, troubles, clock, tell: recorder.tell };
}

describe('an Event', () => {
  it('is about its object, in the namespace of it', async () => {
    const { calls, tell } = setUp();
    await tell(apiKeyKind, object('billing', 'shop'), refused);
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({
      method: 'POST',
      path: '/apis/events.k8s.io/v1/namespaces/shop/events',
      body: {
        ...refused,
        metadata: { name: expect.stringMatching(/^billing\.[0-9a-f]{16}$/), namespace: 'shop' },
        reportingController: 'postern.dev/controller',
        reportingInstance: 'pod-1_abc',
        regarding: { kind: 'ApiKey', namespace: 'shop', name: 'billing', uid: 'uid-of-billing' },
      },
    });
  });

  it('is in the namespace default where its object is in none', async () => {
    const { calls, tell } = setUp();
    await tell(roleKind, object('reader'), refused);
    expect(calls[0]?.path).toBe('/apis/events.k8s.io/v1/namespaces/default/events');
    expect(calls[0]?.body.regarding).not.toHaveProperty('namespace');
  });

  it('has a note and a name that an API server takes, however long they are', async () => {
    const { calls, tell } = setUp();
    await tell(apiKeyKind, object(`${'a'.repeat(199)}.b`, 'shop'), {
      ...refused,
      note: `a${'é'.repeat(2_000)}`,
    });
    const { note, metadata } = calls[0]?.body ?? {};
    expect(note).toBe(`a${'é'.repeat(511)}`);
    expect(metadata.name).toMatch(/^a{199}\.[0-9a-f]{16}$/);
  });
});

describe('what happens again', () => {
  it('is one Event, whose count is written every five minutes', async () => {
    const { calls, clock, tell } = setUp();
    for (const ms of [0, 1_000, 299_999, 300_000, 301_000]) {
      clock.ms = ms;
      await tell(apiKeyKind, object('billing', 'shop'), refused);
    }
    expect(calls.map(({ method }) => method)).toEqual(['POST', 'PATCH']);
    const [made, counted] = calls;
    expect(counted?.path).toBe(`${made?.path}/${made?.body.metadata.name}`);
    expect(counted?.body.series.count).toBe(4);
  });

  it('is another Event for another object, another reason and another note', async () => {
    const { calls, tell } = setUp();
    await tell(apiKeyKind, object('billing', 'shop'), refused);
    await tell(apiKeyKind, object('search', 'shop'), refused);
    await tell(apiKeyKind, object('billing', 'shop'), { ...refused, reason: 'SecretExists' });
    await tell(apiKeyKind, object('billing', 'shop'), { ...refused, note: 'no such plan' });
    await tell(apiKeyKind, object('billing', 'shop'), { ...refused, note: 'no such plan' });
    expect(calls.map(({ method }) => method)).toEqual(['POST', 'POST', 'POST', 'POST']);
  });

  it('is told anew once the API server has forgotten it', async () => {
    const { calls, clock, tell } = setUp(({ method }) => {
      if (method === 'PATCH') throw new ClusterError(404, 'not found');
    });
    await tell(apiKeyKind, object('billing', 'shop'), refused);
    clock.ms = 300_000;
    await tell(apiKeyKind, object('billing', 'shop'), refused);
    await tell(apiKeyKind, object('billing', 'shop'), refused);
    expect(calls.map(({ method }) => method)).toEqual(['POST', 'PATCH', 'POST']);
  });
});

it('keeps nobody from work where it cannot be written, and is tried again', async () => {
  let isForbidden = true;
  const { calls, troubles, tell } = setUp(() => {
    if (isForbidden) throw new ClusterError(403, 'forbidden');
  });
  await tell(apiKeyKind, object('billing', 'shop'), refused);
  expect(troubles).toEqual([new ClusterError(403, 'forbidden')]);
  isForbidden = false;
  await tell(apiKeyKind, object('billing', 'shop'), refused);
  expect(calls.map(({ method }) => method)).toEqual(['POST', 'POST']);
});
