import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { KUBE_VERSION } from '../../../scripts/render-kubernetes.ts';
import { manifestsIn } from '../schemas.ts';
import { helm } from '../tools.ts';
import { example, one, render } from './chart.ts';

type Tree = { [name: string]: unknown };

const chart = 'deploy/helm/postern';
const defaults = parse(readFileSync(`${chart}/values.yaml`, 'utf8')) as Tree;
const binary = await helm();

/** The chart as --reuse-values leaves it: no defaults of its own but those that its templates have. */
const reused = mkdtempSync(join(tmpdir(), 'postern-chart-'));
cpSync(chart, reused, { recursive: true });
writeFileSync(join(reused, 'values.yaml'), '{}\n');
afterAll(() => rmSync(reused, { recursive: true, force: true }));

function renderReused(values: Tree): string {
  return execFileSync(
    binary,
    ['template', 'postern', reused, '--namespace', 'keys', '--kube-version', KUBE_VERSION, '--values', '-'],
    { input: stringify(values), encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] },
  );
}

const isMap = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Every path to a value that a later chart may have gained. */
function pathsIn(tree: Tree, above: readonly string[] = []): string[][] {
  return Object.entries(tree).flatMap(([name, value]) => {
    const path = [...above, name];
    const isLeftOut = ['from', 'to'].includes(name) || ['secrets', 'resources'].includes(above[0] ?? '');
    const below = isMap(value) ? pathsIn(value, path) : [];
    return isLeftOut ? [] : [path, ...below];
  });
}

function without(values: Tree, [name = '', ...rest]: readonly string[]): Tree {
  const { [name]: removed, ...others } = values;
  return rest.length === 0 || !isMap(removed) ? others : { ...others, [name]: without(removed, rest) };
}

function merged(base: Tree, over: Tree): Tree {
  const entries = Object.entries(over).map(([name, value]) => {
    const below = base[name];
    return [name, isMap(value) && isMap(below) ? merged(below, value) : value];
  });
  return { ...base, ...Object.fromEntries(entries) };
}

describe('helm upgrade --reuse-values', () => {
  it.each([
    ['a fleet', {}],
    ['SQLite', { store: 'sqlite', replicas: 1 }],
  ])(
    'renders %s alike with the values of an older chart, whichever of them that lacks',
    (_, given) => {
      const values = merged(defaults, given);
      const whole = renderReused(values);
      const chosen = new Set(Object.keys(given));
      const paths = pathsIn(defaults).filter(([first = '']) => !chosen.has(first));
      expect(paths.length).toBeGreaterThan(50);

      // Each block by itself, then what is in the blocks.
      const blocks = paths.filter((path) => path.length === 1);
      for (const path of blocks) expect(renderReused(without(values, path)), path.join('.')).toBe(whole);
      const rest = paths.filter((path) => path.length > 1);
      expect(renderReused(rest.reduce(without, values))).toBe(whole);
    },
    300_000,
  );

  it('renders the values of a release before there was any', () => {
    expect(manifestsIn(renderReused({})).map(({ kind }) => kind)).toEqual(render().map(({ kind }) => kind));
  });

  it('leaves out what was left out by null: a Secret, a limit, the peers of a rule', () => {
    const manifests = render({
      secrets: { peppers: null },
      resources: { limits: null },
      networkPolicy: { dns: { to: null } },
    });

    expect(JSON.stringify(manifests)).not.toContain('POSTERN_PEPPERS');
    expect(JSON.stringify(one(manifests, 'Deployment').spec)).not.toContain('"limits"');
    const { egress } = one(manifests, 'NetworkPolicy').spec as { egress: { to?: unknown }[] };
    expect(egress[0]).not.toHaveProperty('to');
  });
});

describe('the volume of SQLite', () => {
  const sqlite = (more: Tree) => merged(example('sqlite'), { sqlite: more });

  it('is a claim of the chart, which grows with sqlite.size and stays when the release is removed', () => {
    const [small, large] = ['1Gi', '5Gi'].map((size) => render(sqlite({ size })));
    if (small === undefined || large === undefined) throw new Error('unreachable');

    const claim = one(large, 'PersistentVolumeClaim');
    expect(claim.spec).toMatchObject({ resources: { requests: { storage: '5Gi' } } });
    expect(claim.metadata).toMatchObject({
      name: 'postern-data',
      annotations: { 'helm.sh/resource-policy': 'keep' },
    });
    // What Kubernetes refuses to change stays as it is.
    expect(one(large, 'StatefulSet')).toEqual(one(small, 'StatefulSet'));
    expect(one(large, 'StatefulSet').spec).not.toHaveProperty('volumeClaimTemplates');
    expect(JSON.stringify(one(large, 'StatefulSet').spec)).toContain('{"claimName":"postern-data"}');
  });

  it('may be a claim that exists, of which the chart makes none', () => {
    const manifests = render(sqlite({ existingClaim: 'data-postern-0' }));

    expect(manifests.map(({ kind }) => kind)).not.toContain('PersistentVolumeClaim');
    expect(JSON.stringify(one(manifests, 'StatefulSet').spec)).toContain('{"claimName":"data-postern-0"}');
  });
});

it('lets names be asked of kube-system, OpenShift and NodeLocal DNSCache, or of what the values say', () => {
  const rule = (values: Tree) =>
    (one(render(values), 'NetworkPolicy').spec as { egress: unknown[] }).egress[0];
  const ports = (...numbers: number[]) =>
    numbers.flatMap((port) => [
      { port, protocol: 'UDP' },
      { port, protocol: 'TCP' },
    ]);
  const namespace = (name: string) => ({
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
  });
  const local = { ipBlock: { cidr: '169.254.20.10/32' } };

  expect(rule({})).toEqual({
    ports: ports(53, 5353),
    to: [namespace('kube-system'), namespace('openshift-dns'), local],
  });
  expect(rule({ networkPolicy: { dns: { to: [local], ports: [53] } } })).toEqual({
    ports: ports(53),
    to: [local],
  });
});
