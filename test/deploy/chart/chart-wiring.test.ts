import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { settingsJsonSchema } from '../../../src/settings/settings-json-schema.ts';
import type { Manifest } from '../schemas.ts';
import { example, one, podsOf, render, serverPod, settingsText, type Values } from './chart.ts';

const everything = example('everything');
const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));

/** The default of a setting, as a user who sets nothing has it. */
function defaultOf(name: string, below?: string): unknown {
  const properties = settingsJsonSchema().properties ?? {};
  const setting = below ? properties[name]?.properties?.[below] : properties[name];
  return setting?.default;
}

const selects = (selector: Record<string, string>, labels: Record<string, string>): boolean =>
  Object.entries(selector).every(([name, value]) => labels[name] === value);

describe('the pod', () => {
  it('listens on the ports that Postern has by default, for all of the pod’s addresses', () => {
    const manifests = render();
    const settings = parse(settingsText(manifests));
    const ports = serverPod(manifests).container.ports ?? [];
    for (const name of ['check', 'admin', 'http']) {
      const [, port] = String(defaultOf(name, 'listen')).split(':');
      expect(settings[name].listen).toBe(`0.0.0.0:${port}`);
      expect(ports).toContainEqual({ name, containerPort: Number(port) });
    }
    expect(parse(settingsText(render({ listenHost: '[::]' }))).check.listen).toBe('[::]:50051');
  });

  it('is asked whether it lives at /healthz, which needs no store, and whether it is ready at /readyz', () => {
    const { container } = serverPod(render());
    const ask = (path: string) => ({ path, port: 'http' });
    expect(container.startupProbe.httpGet).toEqual(ask('/healthz'));
    expect(container.livenessProbe.httpGet).toEqual(ask('/healthz'));
    expect(container.readinessProbe.httpGet).toEqual(ask('/readyz'));
    const { readinessProbe, livenessProbe, startupProbe } = serverPod(render(everything)).container;
    for (const { httpGet } of [readinessProbe, livenessProbe, startupProbe])
      expect(httpGet.scheme).toBe('HTTPS');
  });

  it.each([
    ['by default', {}],
    ['as it is told', { shutdown: { preStopSeconds: 7, drainSeconds: 41, closeSeconds: 11 } }],
  ])('is given the time that it takes to leave the Services, to drain and to close, %s', (_, values) => {
    const manifests = render(values);
    const { spec, container } = serverPod(manifests);
    const drainSeconds = Number.parseInt(parse(settingsText(manifests)).drain_timeout, 10);
    const preStopSeconds = container.lifecycle?.preStop.sleep.seconds ?? 0;
    const { closeSeconds } = (values as { shutdown?: { closeSeconds: number } }).shutdown ?? {
      closeSeconds: 10,
    };
    expect(spec.terminationGracePeriodSeconds).toBe(preStopSeconds + drainSeconds + closeSeconds);
    expect(preStopSeconds).toBeGreaterThan(0);
  });

  it('drains as long as Postern does by default', () => {
    expect(parse(settingsText(render())).drain_timeout).toBe(defaultOf('drain_timeout'));
  });

  it('mounts every file that its settings and variables name, and can write none of them', () => {
    const { spec, container } = serverPod(render(everything));
    const files = (container.env ?? []).flatMap(({ name, value }) =>
      /_FILE$|_CONFIG$/.test(name) ? [value ?? ''] : [],
    );
    const named = [...settingsText(render(everything)).matchAll(/\/etc\/postern\/\S+/g)].map(
      ([path]) => path,
    );
    expect(files).toHaveLength(7);
    expect(named).toHaveLength(8);
    for (const file of [...files, ...named]) {
      const mount = container.volumeMounts?.find(({ mountPath }) => file.startsWith(`${mountPath}/`));
      expect(mount, file).toMatchObject({ readOnly: true });
      expect(spec.volumes?.map(({ name }) => name)).toContain(mount?.name);
    }
    expect(container.volumeMounts?.filter(({ readOnly }) => !readOnly)).toEqual([]);
  });

  it('is a new one when a setting changes, and the same when nothing does', () => {
    const checksum = (values: Values) => {
      const { template } = one(render(values), 'Deployment').spec as {
        template: { metadata: { annotations: Record<string, string> } };
      };
      return template.metadata.annotations['checksum/config'];
    };
    expect(checksum({})).toBe(checksum({ podLabels: { a: 'b' } }));
    expect(checksum({})).not.toBe(checksum({ config: { staleness_max: '5s' } }));
  });

  it('is known among its replicas by its own name, and is told nothing of other Services', () => {
    const { spec, container } = serverPod(render());
    expect(container.env).toContainEqual({
      name: 'POSTERN_REPLICA_ID',
      valueFrom: { fieldRef: { fieldPath: 'metadata.name' } },
    });
    expect(spec.enableServiceLinks).toBe(false);
  });

  it('has the image of the digest where there is one, and else of the tag', () => {
    const image = (values: Values) => serverPod(render({ image: values })).container.image;
    const digest = `sha256:${'a'.repeat(64)}`;
    expect(image({ repository: 'a/b', tag: '7', digest })).toBe(`a/b@${digest}`);
    expect(image({ repository: 'a/b', tag: '7' })).toBe('a/b:7');
    expect(image({ repository: 'a/b' })).toBe(`a/b:${version}`);
  });
});

describe('the chart', () => {
  it.each(['the defaults', 'everything', 'sqlite', 'sidecar'])(
    'lets Services, budget and policy select the pods of Postern, and not that of the test: %s',
    (name) => {
      const manifests = render(name === 'the defaults' ? {} : example(name));
      const { labels, spec } = serverPod(manifests);
      const test = podsOf(one(manifests, 'Pod'))[0]?.labels ?? {};
      const ports = [...spec.containers, ...(spec.initContainers ?? [])].flatMap(({ ports = [] }) => ports);
      const chosen = manifests.flatMap(selectorsOf);
      expect(chosen.length).toBeGreaterThan(2);
      for (const selector of chosen) {
        expect(selects(selector, labels), JSON.stringify(selector)).toBe(true);
        expect(selects(selector, test)).toBe(false);
      }
      for (const { spec } of manifests.filter(({ kind }) => kind === 'Service')) {
        const { ports: served } = spec as { ports: { targetPort: string }[] };
        for (const { targetPort } of served) expect(ports.map(({ name }) => name)).toContain(targetPort);
      }
    },
  );

  it('gives Envoy every pod’s address, and never fewer pods than there were', () => {
    const manifests = render();
    expect(one(manifests, 'Service', 'postern-check').spec).toMatchObject({ clusterIP: 'None' });
    expect(one(manifests, 'Deployment').spec).toMatchObject({
      replicas: 3,
      strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    });
    expect(one(manifests, 'PodDisruptionBudget').spec).toMatchObject({ maxUnavailable: 1 });
  });

  it('leaves the number of pods to the autoscaler where there is one', () => {
    const manifests = render(everything);
    expect(one(manifests, 'Deployment').spec).not.toHaveProperty('replicas');
    expect(one(manifests, 'HorizontalPodAutoscaler').spec).toMatchObject({
      scaleTargetRef: { kind: 'Deployment', name: 'postern' },
      maxReplicas: 12,
    });
  });

  it('keeps SQLite in one pod with a volume of its own', () => {
    const manifests = render(example('sqlite'));
    const kinds = manifests.map(({ kind }) => kind);
    for (const kind of ['Deployment', 'PodDisruptionBudget', 'HorizontalPodAutoscaler'])
      expect(kinds).not.toContain(kind);
    expect(one(manifests, 'StatefulSet').spec).toMatchObject({ replicas: 1, serviceName: 'postern-check' });
    expect(parse(settingsText(manifests)).store).toBe('sqlite:/data/postern.db');
    const { container } = serverPod(manifests);
    expect(container.volumeMounts).toContainEqual({ name: 'data', mountPath: '/data' });
    expect(container.env?.map(({ name }) => name)).not.toContain('POSTERN_STORE_FILE');
  });

  it('makes Postern a sidecar that is there before Envoy and after it, with Check on the socket alone', () => {
    const manifests = render(example('sidecar'));
    const { spec, container } = serverPod(manifests);
    expect(spec.initContainers?.map(({ name, restartPolicy }) => ({ name, restartPolicy }))).toEqual([
      { name: 'postern', restartPolicy: 'Always' },
    ]);
    expect(container.ports?.map(({ name }) => name)).toEqual(['admin', 'http']);
    expect(manifests.map(({ metadata }) => metadata.name)).not.toContain('postern-check');
    expect(container.volumeMounts).toContainEqual({ name: 'socket', mountPath: '/run/postern' });
  });

  it('asks cert-manager for a certificate of the names that Envoy and people use, into the Secret that it mounts', () => {
    const manifests = render(everything);
    const { secretName, dnsNames } = one(manifests, 'Certificate').spec as {
      secretName: string;
      dnsNames: string[];
    };
    expect(dnsNames).toEqual(
      expect.arrayContaining([
        'postern-check.keys.svc',
        'postern.keys.svc.cluster.local',
        'postern.example.com',
      ]),
    );
    expect(serverPod(manifests).spec.volumes).toContainEqual({
      name: 'tls',
      secret: { secretName, defaultMode: 288 },
    });
  });
});

describe('the NetworkPolicy', () => {
  interface Rule {
    readonly ports: readonly { readonly port: number }[];
    readonly from?: readonly object[];
    readonly to?: readonly object[];
  }
  const rules = (values: Values) =>
    one(render(values), 'NetworkPolicy').spec as { ingress: Rule[]; egress: Rule[] };
  /** Who may reach a port: undefined is nobody, null everybody. The test's own pod is left out. */
  const mayReach = (values: Values, port: number) => {
    const found = rules(values).ingress.filter(({ ports }) => ports.length === 1 && ports[0]?.port === port);
    return found.length === 0 ? undefined : (found[0]?.from ?? null);
  };

  it('keeps Check, admin and metrics apart: each has callers of its own', () => {
    expect(mayReach({}, 50051)).toEqual([{ namespaceSelector: {} }]);
    expect(mayReach({}, 50052)).toEqual([{ podSelector: {} }]);
    expect(mayReach(everything, 50051)).toHaveLength(1);
    expect(mayReach(everything, 50051)).not.toEqual(mayReach(everything, 50052));
    expect(mayReach(everything, 8080)).toHaveLength(2);
  });

  it('reads an empty list as nobody and null as everybody', () => {
    expect(mayReach({ networkPolicy: { admin: { from: [] } } }, 50052)).toBeUndefined();
    expect(mayReach({ networkPolicy: { admin: { from: null } } }, 50052)).toBeNull();
    const { egress } = rules({ networkPolicy: { mongodb: { to: [] }, dns: { to: [] } } });
    expect(egress ?? []).toEqual([]);
  });

  it('lets Postern out to names and MongoDB, and nowhere else that it is not told of', () => {
    expect(rules({}).egress.map(({ ports }) => ports.map(({ port }) => port))).toEqual([
      [53, 53, 5353, 5353],
      [27017],
    ]);
    expect(rules(example('sqlite')).egress).toHaveLength(1);
    expect(rules(everything).egress[1]?.to).toHaveLength(1);
  });
});

describe('the NetworkPolicy of the controller', () => {
  const policyOf = (values: Values, name: string) => {
    const { spec } = one(render({ controller: { enabled: true }, ...values }), 'NetworkPolicy', name);
    return spec as { podSelector: Peer; ingress?: Rule[]; egress: Rule[] };
  };
  interface Peer {
    readonly matchLabels?: Record<string, string>;
    readonly podSelector?: { readonly matchLabels?: Record<string, string> };
  }
  interface Rule {
    readonly ports: readonly { readonly port: number }[];
    readonly from?: readonly Peer[];
    readonly to?: readonly Peer[];
  }
  const labelsOf = (name: string) =>
    podsOf(one(render({ controller: { enabled: true } }), 'Deployment', name))[0]?.labels ?? {};
  const peerOf = (rules: readonly Rule[], port: number) =>
    rules.find(({ ports, from, to }) => ports.length === 1 && ports[0]?.port === port && (from ?? to));

  it('holds for its pods and for no other', () => {
    const { matchLabels = {} } = policyOf({}, 'postern-controller').podSelector;
    expect(selects(matchLabels, labelsOf('postern-controller'))).toBe(true);
    expect(selects(matchLabels, labelsOf('postern'))).toBe(false);
  });

  it('lets it out to names, Postern and the API server, and lets it into Postern whoever else may come', () => {
    const { egress } = policyOf({}, 'postern-controller');
    expect(egress.map(({ ports }) => ports.map(({ port }) => port))).toEqual([
      [53, 53, 5353, 5353],
      [8080],
      [443, 6443],
    ]);
    expect(selects(egress[1]?.to?.[0]?.podSelector?.matchLabels ?? { none: '' }, labelsOf('postern'))).toBe(
      true,
    );
    const { ingress = [] } = policyOf({ networkPolicy: { http: { from: [] } } }, 'postern');
    const from = peerOf(ingress, 8080)?.from?.[0]?.podSelector?.matchLabels ?? { none: '' };
    expect(selects(from, labelsOf('postern-controller'))).toBe(true);
    expect(selects(from, labelsOf('postern'))).toBe(false);
  });

  it('names the API server and who reads metrics where it is told of them', () => {
    const policy = (networkPolicy: Values) => policyOf({ networkPolicy }, 'postern-controller');
    const named = [{ ipBlock: { cidr: '10.0.0.1/32' } }];
    expect(policy({ kubernetes: { to: named, ports: [6443] } }).egress[2]).toEqual({
      ports: [{ port: 6443 }],
      to: named,
    });
    expect(policy({ kubernetes: { to: [] } }).egress).toHaveLength(2);
    expect(policy({ controller: { from: [] } }).ingress ?? []).toEqual([]);
    expect(policy({ controller: { from: null } }).ingress).toEqual([{ ports: [{ port: 8081 }] }]);
  });

  it('is not there where there is no controller, nor where there is to be none', () => {
    const policies = (values: Values) => render(values).filter(({ kind }) => kind === 'NetworkPolicy');
    expect(policies({})).toHaveLength(1);
    expect(policies({ controller: { enabled: true }, networkPolicy: { enabled: false } })).toEqual([]);
  });
});

function selectorsOf({ kind, spec }: Manifest): Record<string, string>[] {
  type Spec = {
    selector?: Record<string, string> & { matchLabels?: Record<string, string> };
    podSelector?: { matchLabels: Record<string, string> };
  };
  const { selector, podSelector } = (spec as Spec) ?? {};
  if (kind === 'Service') return [selector ?? {}];
  if (kind === 'NetworkPolicy') return [podSelector?.matchLabels ?? {}];
  return kind === 'PodDisruptionBudget' || kind === 'Deployment' || kind === 'StatefulSet'
    ? [selector?.matchLabels ?? {}]
    : [];
}
