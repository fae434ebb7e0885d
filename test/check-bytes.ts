import { CheckRequest } from '../src/grpc/gen/envoy/service/auth/v3/external_auth.ts';

/** A CheckRequest of `GET /` with these headers: joined by name, or apart and as bytes where they are pairs. */
export function checkBytes(
  given: Readonly<Record<string, string>> | readonly (readonly [name: string, value: string])[],
): Buffer {
  const isApart = Array.isArray(given);
  const apart = isApart ? (given as readonly (readonly [string, string])[]) : [];
  const headerMap = {
    headers: apart.map(([key, value]) => ({ key, value: '', rawValue: Buffer.from(value, 'latin1') })),
  };
  const http = {
    ...{ id: '', method: 'GET', path: '/', host: 'api.example.com', scheme: 'http', query: '', fragment: '' },
    ...{ headers: isApart ? {} : { ...(given as Readonly<Record<string, string>>) } },
    ...{ headerMap: isApart ? headerMap : undefined },
    ...{ size: 0, protocol: 'HTTP/1.1', body: '', rawBody: new Uint8Array() },
  };
  const attributes = {
    ...{
      source: undefined,
      destination: undefined,
      request: { time: undefined, http },
      contextExtensions: {},
    },
    ...{ metadataContext: undefined, routeMetadataContext: undefined, tlsSession: undefined },
  };
  return Buffer.from(CheckRequest.encode({ attributes }).finish());
}
