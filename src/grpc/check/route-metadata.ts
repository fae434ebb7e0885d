import { Metadata } from '../gen/envoy/config/core/v3/base.ts';

/** Of Envoy's own configuration. */
const ownNamespace = 'postern';
/** Of Envoy Gateway, which puts the annotations of an HTTPRoute that begin with `gateway.envoyproxy.io/` there. */
const gatewayNamespace = 'envoy-gateway';
const annotationPrefix = 'postern-';
/** What no member of a route's context can be read from: a route that says so is misconfigured. */
const unreadable = '';

/**
 * What the metadata of a route says of it, by the names of `context_extensions`: of the namespace `postern`, else of
 * the annotations `postern-…` that Envoy Gateway sends. Two resources that say different things say nothing that can
 * be read. Throws where the bytes are no Metadata.
 */
export function contextOfMetadata(bytes: Uint8Array): Map<string, string> {
  const { filterMetadata } = Metadata.decode(bytes);
  const own = new Map(entriesOf(filterMetadata[ownNamespace]).map(([name, value]) => [name, textOf(value)]));
  const annotated = new Map<string, string>();
  for (const [name, value] of annotationsIn(filterMetadata[gatewayNamespace])) {
    const known = annotated.get(name);
    annotated.set(name, known === undefined || known === value ? value : unreadable);
  }
  return new Map([...annotated, ...own]);
}

function annotationsIn(namespace: unknown): [name: string, text: string][] {
  const resources = entriesOf(namespace).find(([name]) => name === 'resources')?.[1];
  if (!Array.isArray(resources)) return [];
  return resources.flatMap((resource: unknown) => {
    const annotations = entriesOf(resource).find(([name]) => name === 'annotations')?.[1];
    return entriesOf(annotations)
      .filter(([name]) => name.startsWith(annotationPrefix))
      .map(([name, value]): [string, string] => [name.slice(annotationPrefix.length), textOf(value)]);
  });
}

/** A boolean, a number and a list of texts mean what they are written as. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean' || typeof value === 'number') return String(value);
  const isList = Array.isArray(value) && value.every((item) => typeof item === 'string');
  return isList ? value.join(',') : unreadable;
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
}
