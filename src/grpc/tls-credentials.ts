import { ServerCredentials } from '@grpc/grpc-js';
import type { TlsMaterial, TlsSource } from '../net/tls.ts';

/** What grpc-js listens with: TLS that follows its source, or cleartext. */
export function credentialsOf(tls: TlsSource | null): ServerCredentials {
  return tls === null ? ServerCredentials.createInsecure() : new RenewedCredentials(tls);
}

const handshakeMsMax = 5_000;

/** `ServerCredentials.createSsl`, whose certificate can be another one from some connection on. */
class RenewedCredentials extends ServerCredentials {
  constructor(tls: TlsSource) {
    const needsClient = tls.material.ca !== undefined;
    const options = { requestCert: needsClient, rejectUnauthorized: needsClient };
    // A drain waits for handshakes, too.
    super({ ...options, handshakeTimeout: handshakeMsMax }, contextOf(tls.material));
    tls.subscribe((material) => this.updateSecureContextOptions(contextOf(material)));
  }

  _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

function contextOf({ cert, key, ca, minVersion }: TlsMaterial) {
  return { cert, key, minVersion, ...(ca !== undefined && { ca }) };
}
