import type { ClientOptions } from '@grpc/grpc-js';

export interface ClientSettings {
  /** Of the service's admin listener: `host:port`, `https://host:port` for TLS, `unix:/path`. */
  readonly address: string;
  /** A key with `admin:read` or `admin:write`, or what gives it anew for each call, as where it is rotated. */
  readonly adminKey: string | (() => string | Promise<string>);
  /** Certificates, PEM; by them or by `https://` the connection is TLS. */
  readonly tls?: {
    readonly ca?: string | Uint8Array;
    readonly cert?: string | Uint8Array;
    readonly key?: string | Uint8Array;
  };
  /** How long a call may take, its retries included. Default: 30 000. */
  readonly timeoutMs?: number;
  /** How often a call is tried at most while the service is away. Default: 4. */
  readonly triesMax?: number;
  /** Of gRPC's channel, as @grpc/grpc-js takes them. */
  readonly channel?: ClientOptions;
}
