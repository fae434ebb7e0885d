import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { renderKubernetes } from '../../../scripts/render-kubernetes.ts';
import { validateEnvoy } from '../../real/envoy.ts';
import { manifestsIn, problemsIn } from '../schemas.ts';
import {
  example,
  fileOf,
  lint,
  one,
  podsOf,
  render,
  renderText,
  serverPod,
  settingsText,
  type Values,
} from './chart.ts';
import { insecurities } from './pod-security.ts';

/** Values that between them turn everything on, and everything off. */
const SETS: [name: string, values: Values][] = [
  ['the defaults', {}],
  ...['everything', 'sqlite', 'tls', 'sidecar'].map((name): [string, Values] => [name, example(name)]),
  [
    'as little as there can be',
    {
      secrets: { adminKey: null, peppers: null, consoleSession: null },
      networkPolicy: { enabled: false },
      podDisruptionBudget: { enabled: false },
      serviceAccount: { create: false },
      topologySpread: { zone: '', node: '' },
      resources: {},
    },
  ],
];
const RENDERED = ['fleet', 'sidecar', 'namespace'].map((name) => ({
  name,
  text: readFileSync(new URL(`../../../deploy/kubernetes/${name}.yaml`, import.meta.url), 'utf8'),
}));

describe.each(SETS)('the chart with %s', (_, values) => {
  it('passes Helm’s own strict check', () => {
    expect(lint(values)).toContain('1 chart(s) linted, 0 chart(s) failed');
  });

  it('makes documents that are right by the published schemas', () => {
    const text = renderText(values);
    expect(manifestsIn(text).length).toBeGreaterThan(4);
    expect(problemsIn(text)).toEqual([]);
  });

  it('makes pods that the restricted profile lets in', () => {
    const pods = render(values).flatMap(podsOf);
    expect(pods).toHaveLength(2); // the service's and the test's
    expect(pods.flatMap(({ spec }) => insecurities(spec))).toEqual([]);
  });

  it('makes no Secret, and puts no secret into a variable', () => {
    const manifests = render(values);
    expect(manifests.map(({ kind }) => kind)).not.toContain('Secret');
    const names = (serverPod(manifests).container.env ?? []).map(({ name }) => name);
    const secret = /^POSTERN_(?:STORE|ADMIN_KEY|PEPPERS|CHECKSUM_KEYS|WEBHOOK_SECRET)$/;
    expect(names.filter((name) => secret.test(name))).toEqual([]);
  });
});

describe('the assertions on pods', () => {
  it('find each thing that the restricted profile forbids', () => {
    const { spec, container } = serverPod(render());
    const withContext = (context: object) => ({
      ...spec,
      containers: [{ ...container, securityContext: { ...container.securityContext, ...context } }],
    });
    expect(insecurities(spec)).toEqual([]);
    expect(insecurities({ ...spec, securityContext: {} })).toEqual([
      'postern runs as root',
      'postern has no seccomp profile',
    ]);
    expect(insecurities(withContext({ runAsUser: 0 }))).toEqual(['postern runs as root']);
    expect(insecurities(withContext({ allowPrivilegeEscalation: true }))).toEqual([
      'postern may gain privileges',
    ]);
    expect(insecurities(withContext({ capabilities: { drop: ['ALL'], add: ['NET_RAW'] } }))).toEqual([
      'postern keeps capabilities',
    ]);
    expect(insecurities(withContext({ readOnlyRootFilesystem: false }))).toEqual([
      'postern can write its root',
    ]);
    const more = {
      hostNetwork: true,
      automountServiceAccountToken: true,
      volumes: [{ name: 'a', hostPath: {} }],
    };
    expect(insecurities({ ...spec, ...more })).toEqual([
      'hostNetwork',
      'has a token of the API server',
      'volume a',
    ]);
  });
});

describe('the manifests in deploy/kubernetes', () => {
  it('are what the chart makes, and the chart has the settings and the alert rules as they are', async () => {
    expect(await renderKubernetes({ write: false })).toEqual([]);
  });

  it.each(RENDERED)('$name.yaml is right by the published schemas, and restricted', ({ text }) => {
    expect(problemsIn(text)).toEqual([]);
    expect(
      manifestsIn(text)
        .flatMap(podsOf)
        .flatMap(({ spec }) => insecurities(spec)),
    ).toEqual([]);
    expect(text).not.toMatch(/helm\.sh|managed-by/);
  });

  it('sidecar.yaml has a configuration that Envoy accepts, whose Check is on the socket of the pod', async () => {
    const manifests = manifestsIn(RENDERED.find(({ name }) => name === 'sidecar')?.text ?? '');
    const configuration = fileOf(manifests, 'postern-envoy', 'envoy.yaml');
    await validateEnvoy(configuration);

    const { check } = parse(settingsText(manifests));
    expect(check.listen).toBe('unix:/run/postern/check.sock');
    expect(configuration).toContain('pipe: { path: /run/postern/check.sock }');
    const [pod] = manifests.flatMap(podsOf);
    for (const container of [...(pod?.spec.initContainers ?? []), ...(pod?.spec.containers ?? [])]) {
      expect(container.volumeMounts).toContainEqual(
        expect.objectContaining({ name: 'socket', mountPath: '/run/postern' }),
      );
    }
  });
});

describe('the alert rules of the chart', () => {
  it('are those of deploy/prometheus, word for word', () => {
    const text = readFileSync(new URL('../../../deploy/prometheus/alerts.yaml', import.meta.url), 'utf8');
    expect(one(render(example('everything')), 'PrometheusRule').spec).toEqual(parse(text));
  });
});
