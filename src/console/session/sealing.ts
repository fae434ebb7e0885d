import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/** Keeps texts in cookies and pages, where nobody reads or changes them. */
export interface Sealing {
  seal(text: string): string;
  /** Null for what was not sealed so, and for none. */
  open(sealed: string | undefined): string | null;
}

const cipher = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;
const sealedLengthMaxDefault = 4_096;

/**
 * `use` names the key, `purpose` what is sealed by it: what was sealed for another opens as nothing. Longer than
 * `sealedLengthMax`, by default what a cookie holds, opens as nothing, too.
 */
export function createSealing(
  secret: Buffer,
  {
    use,
    purpose,
    sealedLengthMax = sealedLengthMaxDefault,
  }: { readonly use: string; readonly purpose: string; readonly sealedLengthMax?: number },
): Sealing {
  const key = deriveKey(secret, use);
  const about = Buffer.from(purpose);

  return {
    seal(text) {
      const nonce = randomBytes(nonceBytes);
      const sealing = createCipheriv(cipher, key, nonce).setAAD(about);
      const body = Buffer.concat([sealing.update(text, 'utf8'), sealing.final()]);
      return Buffer.concat([nonce, body, sealing.getAuthTag()]).toString('base64url');
    },
    open(sealed) {
      if (sealed === undefined || sealed.length > sealedLengthMax) return null;
      const bytes = Buffer.from(sealed, 'base64url');
      if (bytes.length <= nonceBytes + tagBytes) return null;
      const opening = createDecipheriv(cipher, key, bytes.subarray(0, nonceBytes), {
        authTagLength: tagBytes,
      });
      opening.setAAD(about).setAuthTag(bytes.subarray(-tagBytes));
      try {
        const body = bytes.subarray(nonceBytes, -tagBytes);
        return opening.update(body, undefined, 'utf8') + opening.final('utf8');
      } catch {
        return null;
      }
    },
  };
}

export function deriveKey(secret: Buffer, use: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', use, 32));
}
