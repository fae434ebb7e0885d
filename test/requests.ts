import type { AccessRequest } from '../src/check/request.ts';

/** A request as a wire would read it, headers apart and their names in lower case. */
export function accessRequest(given: {
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly context?: Readonly<Record<string, string>>;
  readonly address?: string;
  readonly path?: string;
  readonly method?: string;
  readonly host?: string;
}): AccessRequest {
  const headers = given.headers ?? [];
  return {
    method: given.method ?? 'GET',
    host: given.host ?? 'api.example.com',
    path: given.path ?? '/',
    address: given.address ?? '192.0.2.1',
    context: new Map(Object.entries(given.context ?? {})),
    header: (name) => headers.filter(([known]) => known === name).map(([, value]) => value),
    reservedHeaders: ({ prefixes, names }) =>
      headers
        .map(([name]) => name)
        .filter((name) => {
          const read = name.replace(/[^a-z0-9]/g, '-');
          return names.includes(read) || prefixes.some((prefix) => read.startsWith(prefix));
        }),
  };
}
