import { describe, expect, it } from 'vitest';
import { manifestsIn, problemsIn, validate } from './schemas.ts';

const selector = { matchLabels: { app: 'postern' } };

/** For each publisher a document that is right, the same with a field that is unknown, and the same with a wrong value. */
const FAMILIES = [
  {
    family: 'Kubernetes',
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    spec: { selector, maxUnavailable: 1 },
    unknown: [{ selectors: 1 }, '/spec must NOT have additional properties: selectors'],
    wrong: [{ maxUnavailable: true }, '/spec/maxUnavailable must be string'],
  },
  {
    family: 'Istio',
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    spec: { selector, action: 'CUSTOM', provider: { name: 'postern' } },
    unknown: [{ providr: 1 }, '/spec must NOT have additional properties: providr'],
    wrong: [{ action: 'CUSTM' }, '/spec/action must be equal to one of the allowed values'],
  },
  {
    family: 'Gateway API',
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    spec: { parentRefs: [{ name: 'gateway' }], rules: [{ backendRefs: [{ name: 'api', port: 80 }] }] },
    unknown: [{ rule: [] }, '/spec must NOT have additional properties: rule'],
    wrong: [{ hostnames: ['UPPER'] }, '/spec/hostnames/0 must match pattern'],
  },
  {
    family: 'Envoy Gateway',
    apiVersion: 'gateway.envoyproxy.io/v1alpha1',
    kind: 'SecurityPolicy',
    spec: {
      targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', name: 'api' }],
      extAuth: { failOpen: false, grpc: { backendRefs: [{ name: 'postern', port: 50051 }] } },
    },
    unknown: [{ extAuthz: {} }, '/spec must NOT have additional properties: extAuthz'],
    wrong: [{ extAuth: { failOpen: 'no' } }, '/spec/extAuth/failOpen must be boolean'],
  },
  {
    family: 'kgateway',
    apiVersion: 'gateway.kgateway.dev/v1alpha1',
    kind: 'TrafficPolicy',
    spec: { extAuth: { extensionRef: { name: 'postern' } } },
    unknown: [{ extAuthorization: {} }, '/spec must NOT have additional properties: extAuthorization'],
    wrong: [{ extAuth: 'postern' }, '/spec/extAuth must be object'],
  },
  {
    family: 'the Prometheus operator',
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'ServiceMonitor',
    spec: { selector, endpoints: [{ port: 'http', interval: '30s' }] },
    unknown: [{ endpoint: [] }, '/spec must NOT have additional properties: endpoint'],
    wrong: [{ endpoints: [{ interval: 30 }] }, '/spec/endpoints/0/interval must be string'],
  },
  {
    family: 'cert-manager',
    apiVersion: 'cert-manager.io/v1',
    kind: 'Certificate',
    spec: { secretName: 'postern-tls', dnsNames: ['postern'], issuerRef: { name: 'ca' } },
    unknown: [{ dnsName: 'postern' }, '/spec must NOT have additional properties: dnsName'],
    wrong: [{ issuerRef: { kind: 'Issuer' } }, "/spec/issuerRef must have required property 'name'"],
  },
] as const;

describe('a manifest is held to the schema that its publisher gives', () => {
  it.each(FAMILIES)(
    'of $family: what is right passes, an unknown field and a wrong value do not',
    (family) => {
      const { apiVersion, kind, spec, unknown, wrong } = family;
      const withSpec = (changed: object) =>
        validate({ apiVersion, kind, metadata: { name: 'a' }, spec: { ...spec, ...changed } });

      expect(withSpec({})).toEqual([]);
      expect(withSpec(unknown[0])).toEqual([unknown[1]]);
      expect(withSpec(wrong[0]).join('\n')).toContain(wrong[1]);
      expect(validate({ apiVersion, kind, metadata: { name: 'a', labls: {} }, spec })).toEqual([
        '/metadata must NOT have additional properties: labls',
      ]);
    },
  );

  it('refuses a kind that nobody publishes, a version that is not served, and what is no document', () => {
    const metadata = { name: 'a' };
    expect(validate({ apiVersion: 'apps/v1', kind: 'Deploymnt', metadata })).toEqual([
      'no schema is known for apps/v1 Deploymnt',
    ]);
    expect(validate({ apiVersion: 'security.istio.io/v9', kind: 'AuthorizationPolicy', metadata })).toEqual([
      'no schema is known for security.istio.io/v9 AuthorizationPolicy',
    ]);
    expect(validate(null)).toEqual(['has no apiVersion and kind']);
    expect(validate({ kind: 'Service' })).toEqual(['has no apiVersion and kind']);
  });

  it('refuses a field that is empty where a value belongs, deep inside', () => {
    const manifest = (annotations: unknown) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'a', annotations },
      spec: { ports: [{ port: 80 }] },
    });
    expect(validate(manifest({}))).toEqual([]);
    expect(validate(manifest(null))).toEqual(['/metadata/annotations must be object']);
    expect(validate({ apiVersion: 'v1', kind: 'Service', spec: {} })).toEqual([
      "/ must have required property 'metadata'",
    ]);
  });

  it('names the document that a problem is in, and throws on text that is not one document after another', () => {
    const service = 'apiVersion: v1\nkind: Service\nmetadata: { name: a }\n';
    expect(problemsIn(`${service}---\n${service}spek: {}\n`)).toEqual([
      'Service a: / must NOT have additional properties: spek',
    ]);
    expect(() => manifestsIn(`${service}---\n# nothing\n`)).toThrow('a document is empty');
    expect(() => manifestsIn(`${service}kind: Service\n`)).toThrow('Map keys must be unique');
    expect(() => manifestsIn(`${service}spec: { mode: 0440 }\n`)).toThrow(
      'Service a reads otherwise in YAML 1.1',
    );
  });
});
