/**
 * Makes what follows from other files: deploy/kubernetes/ from the chart, and in the chart the schema of Postern's
 * settings and the alert rules: `node scripts/render-kubernetes.ts`. With `--check` it writes nothing and fails when
 * one of them is not what it should be.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { presetNames } from '../src/presets/read.ts';
import { settingsJsonSchema } from '../src/settings/settings-json-schema.ts';
import { helm } from '../test/deploy/tools.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CHART = 'deploy/helm/postern';

/** The oldest Kubernetes that the chart is for. */
export const KUBE_VERSION = '1.30.0';

/** What the chart writes into the settings itself, so that no value may. */
const OF_THE_CHART = [
  'store',
  'replica_id',
  'drain_timeout',
  'check.listen',
  'check.tls',
  'admin.listen',
  'admin.tls',
  'http.listen',
  'http.tls',
];

const APPLY = (name: string) =>
  `#   kubectl apply -f deploy/kubernetes/namespace.yaml\n#   kubectl -n postern apply -f deploy/kubernetes/${name}.yaml\n#\n` +
  '# Needs the Secret `postern` with the keys store, admin-key, peppers and console-session: docs/kubernetes.md. Made\n' +
  '# from the chart by scripts/render-kubernetes.ts; change the image, and the rest by your own means.\n';

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const isCheck = process.argv.includes('--check');
  const stale = await renderKubernetes({ write: !isCheck });
  if (isCheck && stale.length > 0) {
    console.error(
      `stale: ${stale.join(', ')}; run \`node scripts/render-kubernetes.ts\` and commit the result`,
    );
    process.exit(1);
  }
}

/** Compares what is there with what it follows from, mends it if told to, and returns the files that differed. */
export async function renderKubernetes({ write }: { write: boolean }): Promise<string[]> {
  const binary = await helm();
  // The chart's own files first: the manifests are rendered from them.
  const files: [path: string, render: () => string][] = [
    [`${CHART}/values.schema.json`, valuesSchema],
    // For templates: Helm gives them the file itself for no new chart under --reuse-values.
    [`${CHART}/files/defaults.yaml`, () => read(`${CHART}/values.yaml`)],
    [`${CHART}/files/alerts.yaml`, () => read('deploy/prometheus/alerts.yaml')],
    ['deploy/kubernetes/fleet.yaml', () => formatted(fleet(binary), 'yaml')],
    ['deploy/kubernetes/sidecar.yaml', () => formatted(sidecar(binary), 'yaml')],
    ['deploy/kubernetes/controller.yaml', () => formatted(controller(binary), 'yaml')],
  ];
  const stale: string[] = [];
  for (const [path, render] of files) {
    const text = render();
    if (existsSync(ROOT + path) && read(path) === text) continue;
    stale.push(path);
    if (write) writeFileSync(ROOT + path, text);
  }
  return stale;
}

interface SchemaNode {
  [member: string]: unknown;
  properties?: { [name: string]: SchemaNode };
}

/** The schema of the values, with that of Postern's settings in it, so that Helm refuses what Postern would. */
function valuesSchema(): string {
  const settings = withoutDefaults(settingsJsonSchema(presetNames)) as SchemaNode;
  delete settings.$schema;
  for (const path of OF_THE_CHART) {
    const [name = '', below] = path.split('.');
    const properties = below ? settings.properties?.[name]?.properties : settings.properties;
    if (!properties?.[below ?? name]) throw new Error(`there is no setting ${path}`);
    delete properties[below ?? name];
  }
  const schema = JSON.parse(read(`${CHART}/values.schema.json`)) as { $defs: { settings: SchemaNode } };
  schema.$defs.settings = settings;
  return formatted(JSON.stringify(schema), 'json');
}

/** As the repository's formatter would have it. */
function formatted(text: string, ending: string): string {
  return execFileSync('node_modules/.bin/biome', ['format', `--stdin-file-path=rendered.${ending}`], {
    cwd: ROOT,
    input: text,
    encoding: 'utf8',
  });
}

function withoutDefaults(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withoutDefaults);
  if (typeof node !== 'object' || node === null) return node;
  // A default that is an object itself is one of a setting, and a setting may be called default.
  const isDefault = (name: string, value: unknown) =>
    name === 'default' && !(typeof value === 'object' && value !== null && 'type' in value);
  return Object.fromEntries(
    Object.entries(node)
      .filter(([name, value]) => !isDefault(name, value))
      .map(([name, value]) => [name, withoutDefaults(value)]),
  );
}

function fleet(binary: string): string {
  return `# Three replicas of Postern on MongoDB.\n#\n${APPLY('fleet')}${manifests(binary, [])}`;
}

function sidecar(binary: string): string {
  const head =
    '# Postern beside an Envoy in each pod, Check on a Unix socket. Envoy takes requests on port 10000 and hands those\n' +
    '# that are allowed to the Service `api` on port 8000.\n#\n';
  return (
    head + APPLY('sidecar') + manifests(binary, ['--values', `${CHART}/examples/sidecar.yaml`]) + gateway()
  );
}

function controller(binary: string): string {
  const templates = ['controller.yaml', 'controller-networkpolicy.yaml'];
  const only = [
    ...['--set', 'controller.enabled=true'],
    ...templates.flatMap((name) => ['--show-only', `templates/${name}`]),
  ];
  const head =
    '# ApiKeys, ApiKeyOwners and ApiKeyRoles, and what makes keys, owners and roles of them: docs/as-code.md.\n#\n';
  // What keeps them is for Helm alone.
  return (
    head + APPLY('controller') + manifests(binary, only).replace(/^ *annotations: \{ helm\.sh\/.*\n/gm, '')
  );
}

function manifests(binary: string, options: readonly string[]): string {
  const fixed = ['--namespace', 'postern', '--kube-version', KUBE_VERSION, '--skip-tests'];
  const text = execFileSync(binary, ['template', 'postern', CHART, ...fixed, ...options], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  // What only Helm has a use for.
  return text.replace(/^ *(?:# Source: .*|helm\.sh\/chart: .*|app\.kubernetes\.io\/managed-by: .*)\n/gm, '');
}

/** Envoy's configuration is that of deploy/envoy/envoy-unix.yaml, but for what loopback is in a pod. */
function gateway(): string {
  const labels = '{ app.kubernetes.io/name: postern, app.kubernetes.io/instance: postern }';
  const envoy = replaceOnce(
    replaceOnce(
      read('deploy/envoy/envoy-unix.yaml'),
      'address: 127.0.0.1, port_value: 10000',
      'address: 0.0.0.0, port_value: 10000',
    ),
    'address: 127.0.0.1, port_value: 8000',
    'address: api, port_value: 8000',
  );
  return `---
apiVersion: v1
kind: ConfigMap
metadata:
  name: postern-envoy
  labels: ${labels}
data:
  envoy.yaml: |
${envoy.replace(/^(?=.)/gm, '    ')}---
apiVersion: v1
kind: Service
metadata:
  name: postern-gateway
  labels: ${labels}
spec:
  selector:
    app.kubernetes.io/name: postern
    app.kubernetes.io/instance: postern
    app.kubernetes.io/component: server
  ports:
    - { name: http, port: 80, targetPort: edge, appProtocol: http }
`;
}

function replaceOnce(text: string, from: string, to: string): string {
  const [before, after, ...more] = text.split(from);
  if (before === undefined || after === undefined || more.length > 0) {
    throw new Error(`expected once in deploy/envoy/envoy-unix.yaml: ${from}`);
  }
  return before + to + after;
}

function read(path: string): string {
  return readFileSync(ROOT + path, 'utf8');
}
