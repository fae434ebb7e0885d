import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parseAllDocuments } from 'yaml';
import { coreDefinitions, customSchema, type Schema } from './schema-sources.ts';
import { strictCustom, withoutNull } from './strict-schema.ts';

/** A document for Kubernetes, as it is before anyone has looked at it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

const ajv = new Ajv2020({
  strict: false,
  allErrors: true,
  validateFormats: false,
  unicodeRegExp: false,
  logger: false,
});
const compiled = new Map<string, ValidateFunction | undefined>();

/**
 * What is wrong with a document by the published schema of its kind, a line each; empty when nothing is. A field that
 * the schema does not know is wrong, and so is a kind that no schema is known for. Kinds: those of Kubernetes 1.37,
 * Istio, Gateway API (experimental channel), Envoy Gateway, kgateway, cert-manager and the Prometheus operator.
 * Rules that a schema states in CEL are not looked at.
 */
export function validate(document: unknown): string[] {
  const { apiVersion, kind } = (document ?? {}) as { apiVersion?: unknown; kind?: unknown };
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return ['has no apiVersion and kind'];
  const check = checkOf(apiVersion, kind);
  if (!check) return [`no schema is known for ${apiVersion} ${kind}`];
  check(document);
  return (check.errors ?? []).map(({ instancePath, message, params }) => {
    const field = params.additionalProperty === undefined ? '' : `: ${params.additionalProperty}`;
    return `${instancePath || '/'} ${message}${field}`;
  });
}

/**
 * Each document of a YAML text; throws on one that is no YAML, that repeats a key, that is empty, or that YAML 1.1
 * reads otherwise than 1.2 does: Kubernetes reads the one and most else the other (`0440`, `on`).
 */
export function manifestsIn(text: string): Manifest[] {
  const older = parseAllDocuments(text, { version: '1.1' });
  return parseAllDocuments(text).map((document, at) => {
    const [problem] = [...document.errors, ...document.warnings];
    if (problem) throw problem;
    const manifest = document.toJS();
    if (typeof manifest !== 'object' || manifest === null) throw new Error('a document is empty');
    if (JSON.stringify(older[at]?.toJS()) !== JSON.stringify(manifest)) {
      throw new Error(
        `${manifest.kind} ${manifest.metadata?.name} reads otherwise in YAML 1.1: quote what is meant as text`,
      );
    }
    return manifest;
  });
}

/** What is wrong with any document of a YAML text, each line with its kind and name in front. */
export function problemsIn(text: string): string[] {
  return manifestsIn(text).flatMap((manifest) =>
    validate(manifest).map((problem) => `${manifest.kind} ${manifest.metadata?.name}: ${problem}`),
  );
}

function checkOf(apiVersion: string, kind: string): ValidateFunction | undefined {
  const name = `${apiVersion} ${kind}`;
  if (!compiled.has(name)) {
    const schema = schemaOf(apiVersion, kind);
    compiled.set(name, schema && ajv.compile(schema));
  }
  return compiled.get(name);
}

function schemaOf(apiVersion: string, kind: string): Schema | undefined {
  if (!ajv.getSchema('core')) ajv.addSchema(withoutNull(coreDefinitions()) as Schema, 'core');
  const [version = '', group = ''] = apiVersion.split('/').reverse();
  const custom = customSchema(group, version, kind);
  if (custom) return strictCustom(custom, apiVersion, kind);
  const name = coreNames().get(`${apiVersion} ${kind}`);
  return name ? { $ref: `core#/$defs/${name}`, required: ['apiVersion', 'kind', 'metadata'] } : undefined;
}

/** `apps/v1 Deployment` → the name of its definition. */
function coreNames(): Map<string, string> {
  const names = new Map<string, string>();
  for (const [name, schema] of Object.entries(coreDefinitions().$defs)) {
    const kinds = schema['x-kubernetes-group-version-kind'] as
      | readonly { group: string; version: string; kind: string }[]
      | undefined;
    const [only, another] = kinds ?? [];
    // A type that belongs to many groups, DeleteOptions say, is no manifest.
    if (only && !another) names.set(`${only.group && `${only.group}/`}${only.version} ${only.kind}`, name);
  }
  return names;
}
