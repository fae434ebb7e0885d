import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { type Fetchable, fetched, fetchedPath, installWheel, output } from './fetched.ts';

/** A Go module that carries the definitions of custom resources, at a version and held to its checksum in go.sum's form. */
interface CrdModule {
  readonly module: string;
  readonly version: string;
  readonly sum: string;
  /** The folder or file inside it. */
  readonly path: string;
  /** The API groups that are taken from it. */
  readonly groups: readonly string[];
}

const CRD_MODULES: readonly CrdModule[] = [
  {
    module: 'istio.io/api',
    version: 'v1.31.1',
    sum: 'h1:5Yb5ihcz4YQsCkciusK7DnFpBMwRB6EFWeUKH1Atuyk=',
    path: 'kubernetes',
    groups: ['networking.istio.io', 'security.istio.io', 'telemetry.istio.io', 'extensions.istio.io'],
  },
  {
    module: 'sigs.k8s.io/gateway-api',
    version: 'v1.6.0',
    sum: 'h1:735YBRj5NXFrOGX0GoSjwzUIzbz8kiEOfADsqHFmHgE=',
    // The experimental channel has all of the standard one, and the filter for external authorization besides.
    path: 'config/crd/experimental',
    groups: ['gateway.networking.k8s.io', 'gateway.networking.x-k8s.io'],
  },
  {
    module: 'github.com/envoyproxy/gateway',
    version: 'v1.9.1',
    sum: 'h1:vAVp6/AlBXJ1aOhp1mxL7fNEzVEfjADUguUhm2wzxQY=',
    path: 'charts/gateway-helm/charts/crds/crds/generated',
    groups: ['gateway.envoyproxy.io'],
  },
  {
    module: 'github.com/kgateway-dev/kgateway/v2',
    version: 'v2.2.0',
    sum: 'h1:0g/OevXOJVJCNl64Ph6s2C6+NI4uo0JgPN8+pcOyh/o=',
    path: 'install/helm/kgateway-crds/templates',
    groups: ['gateway.kgateway.dev'],
  },
  {
    module: 'github.com/cert-manager/cert-manager',
    version: 'v1.21.2',
    sum: 'h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68=',
    path: 'deploy/crds',
    groups: ['cert-manager.io'],
  },
  {
    module: 'github.com/prometheus-operator/prometheus-operator',
    version: 'v0.85.0',
    sum: 'h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=',
    path: 'example/prometheus-operator-crd',
    groups: ['monitoring.coreos.com'],
  },
  {
    module: 'github.com/external-secrets/external-secrets',
    version: 'v1.3.2',
    sum: 'h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ=',
    path: 'config/crds/bases',
    groups: ['external-secrets.io', 'generators.external-secrets.io'],
  },
  {
    module: 'github.com/bitnami-labs/sealed-secrets',
    version: 'v0.40.0',
    sum: 'h1:rvCP35JL8ZV5LNA2SrwNR6iLyoM3ulrSFWN0lBtYEYI=',
    path: 'helm/sealed-secrets/crds',
    groups: ['bitnami.com'],
  },
];

/** What the names of files with whole definitions begin with. */
const DEFINITION = 'definition_';

const CORE: Fetchable = {
  name: 'kubernetes-validate-1.37.0',
  note: 'the schemas of Kubernetes 1.37, 22 MB',
  async fill(folder) {
    const wheel = join(folder, 'wheel');
    mkdirSync(wheel);
    await installWheel(
      'kubernetes-validate==1.37.0',
      '85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9',
      wheel,
    );
    const schemas = join(wheel, 'kubernetes_validate/kubernetes-json-schema/v1.37.0-local-strict');
    copyFileSync(join(schemas, '_definitions.json'), join(folder, 'definitions.json'));
    rmSync(wheel, { recursive: true });
  },
};

/** A schema as JSON, whatever its draft. */
export type Schema = { readonly [member: string]: unknown };

interface CustomResourceDefinition {
  readonly kind: string;
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly { readonly name: string; readonly schema: { openAPIV3Schema: Schema } }[];
  };
}

/** Fetches what is missing of the schemas, in turn; throws with what that needs. */
export async function fetchSchemas(): Promise<void> {
  try {
    for (const source of [CORE, ...CRD_MODULES.map(fetchable)]) await fetched(source);
  } catch (error) {
    throw new Error(
      `The manifests are checked against published schemas, and they are not here: ${(error as Error).message}\n` +
        'They come from Go modules and a Python wheel: have Go 1.26 or newer with its module proxy, ' +
        'and python3 with pip and its package index.',
    );
  }
}

/** All of Kubernetes's own types, under `$defs`, as OpenAPI names them. */
export function coreDefinitions(): { readonly $defs: { readonly [name: string]: Schema } } {
  return JSON.parse(readFileSync(join(fetchedPath(CORE), 'definitions.json'), 'utf8'));
}

/** The structural schema of a custom resource; `undefined` where no source has it. */
export function customSchema(group: string, version: string, kind: string): Schema | undefined {
  const source = CRD_MODULES.find(({ groups }) => groups.includes(group));
  if (!source) return undefined;
  const folder = fetchedPath(fetchable(source));
  const name = fileName(group, version, kind);
  return readdirSync(folder).includes(name)
    ? JSON.parse(readFileSync(join(folder, name), 'utf8'))
    : undefined;
}

function fetchable(source: CrdModule): Fetchable {
  const { module, version } = source;
  return {
    name: `${module.replaceAll('/', '-')}-${version}-definitions`,
    note: `the schemas of ${module} ${version}`,
    fill: (folder) => fillFromModule(source, folder),
  };
}

/** The definitions themselves, as a cluster takes them. */
export function customDefinitions(): readonly object[] {
  return CRD_MODULES.flatMap((source) => {
    const folder = fetchedPath(fetchable(source));
    return readdirSync(folder)
      .filter((name) => name.startsWith(DEFINITION))
      .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')));
  });
}

/** One file for each version of each kind, and one for its definition. */
async function fillFromModule(source: CrdModule, folder: string): Promise<void> {
  const { module, version, sum, path } = source;
  const told = await output('go', ['mod', 'download', '-json', `${module}@${version}`], { cwd: folder });
  const { Dir, Sum } = JSON.parse(told) as { Dir: string; Sum: string };
  if (Sum !== sum) throw new Error(`${module}@${version} has the checksum ${Sum} and not ${sum}`);

  for (const name of readdirSync(join(Dir, path)).filter((name) => name.endsWith('.yaml'))) {
    for (const document of parseAllDocuments(readFileSync(join(Dir, path, name), 'utf8'))) {
      const definition = document.toJS() as CustomResourceDefinition | null;
      if (definition?.kind !== 'CustomResourceDefinition') continue;
      const { group, names, versions } = definition.spec;
      writeFileSync(join(folder, `${DEFINITION}${group}_${names.kind}.json`), JSON.stringify(definition));
      for (const { name, schema } of versions) {
        const file = join(folder, fileName(group, name, names.kind));
        writeFileSync(file, JSON.stringify(schema.openAPIV3Schema));
      }
    }
  }
}

const fileName = (group: string, version: string, kind: string): string => `${group}_${version}_${kind}.json`;
