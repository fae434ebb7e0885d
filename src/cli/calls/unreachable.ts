import { CommandError, exitCodes } from '../terminal/command.ts';
import { printable } from '../terminal/output.ts';
import { probe, type Speaker } from './probe.ts';

/** Where a command looked for the service. */
export interface Target {
  /** A URL without a slash at its end. */
  readonly address: string;
  /** What named it: `--address`, `POSTERN_ADDRESS`, or null for the default. */
  readonly from: string | null;
}

/** Why a call got no answer, and what to do. */
interface Reason {
  readonly why: string;
  readonly advice: string;
  /** Whether the same call may go well in a while. */
  readonly isPassing?: boolean;
}

/** What fetch says of a call that failed, and Node of a certificate that is for other names. */
interface Cause {
  readonly code?: string;
  readonly message?: string;
  readonly cert?: { readonly subjectaltname?: string };
}

const elsewhere = 'Say where its HTTP listener is by --address or POSTERN_ADDRESS.';
const start =
  'Start the service with "postern serve", or say where it listens by --address or POSTERN_ADDRESS.';
const firewall =
  'Look at the address and at firewalls between; another one is given by --address or POSTERN_ADDRESS.';
const unknownAuthority: Reason = {
  why: 'it answers over TLS with a certificate whose authority is not known here',
  advice: "Name a file with the authority's certificate: NODE_EXTRA_CA_CERTS=ca.pem postern …",
};

const reasons: Readonly<Record<string, Reason>> = {
  ECONNREFUSED: { why: 'nobody listens there', advice: start, isPassing: true },
  ENOTFOUND: { why: 'the name is not known', advice: elsewhere, isPassing: true },
  EAI_AGAIN: {
    why: 'the name cannot be looked up now',
    advice: "Look at this machine's name service (DNS).",
    isPassing: true,
  },
  ETIMEDOUT: { why: 'the connection timed out', advice: firewall, isPassing: true },
  EHOSTUNREACH: { why: 'there is no way to that host from here', advice: firewall, isPassing: true },
  ENETUNREACH: { why: 'there is no way to that network from here', advice: firewall, isPassing: true },
  CERT_HAS_EXPIRED: {
    why: 'it answers over TLS with a certificate that has expired',
    advice: "Renew the certificate of the service's HTTP listener (http.tls).",
  },
  CERT_NOT_YET_VALID: {
    why: 'it answers over TLS with a certificate that is not valid yet',
    advice: 'Look at the clock of this machine, and at the certificate (http.tls).',
  },
  DEPTH_ZERO_SELF_SIGNED_CERT: unknownAuthority,
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority,
};

/** What to say of a call that failed before an answer: asks the port what it speaks where that helps. */
export async function unreachable(
  target: Target,
  error: unknown,
  answerMsMax: number,
): Promise<CommandError> {
  const { why, advice, isPassing = false } = await reasonOf(target, error, answerMsMax);
  const lines = [`${target.address} cannot be reached: ${why}`, fromLine(target), advice];
  return new CommandError(exitCodes.unreachable, lines, { isPassing });
}

/** Which address was tried, in words. */
export function fromLine({ from }: Target): string {
  return from === null ? 'No address was given; this is the default.' : `The address is from ${from}.`;
}

async function reasonOf({ address }: Target, error: unknown, answerMsMax: number): Promise<Reason> {
  if (!(error instanceof Error)) return { why: 'unknown error', advice: elsewhere };
  if (error.name === 'TimeoutError') {
    const why = `it takes connections, and gave no answer within ${answerMsMax / 1_000} s`;
    return { why, advice: `Look at the log of the service. ${elsewhere}`, isPassing: true };
  }
  const cause = error.cause as Cause | undefined;
  const known = reasons[cause?.code ?? ''];
  if (known !== undefined) return known;
  if (cause?.code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = printable(cause.cert?.subjectaltname ?? 'none at all');
    return {
      why: `it answers over TLS with a certificate for other names (${names})`,
      advice: 'Use one of these names as the address, by --address or POSTERN_ADDRESS.',
    };
  }
  const url = new URL(address);
  return (
    ofSpeaker(url, await probe(url)) ?? {
      why: whyCut(cause, error),
      advice: `Something takes connections there, and ends them. Look at the log of the service. ${elsewhere}`,
      isPassing: true,
    }
  );
}

/** A speaker that is not what the address says. */
function ofSpeaker({ protocol, host }: URL, speaker: Speaker): Reason | null {
  const isTls = speaker === 'tls' || speaker === 'tls-http2';
  if (isTls && protocol === 'http:') {
    return { why: 'what answers there speaks TLS', advice: `Write the address as https://${host}` };
  }
  if (speaker === 'http2' || speaker === 'tls-http2') {
    return {
      why: 'what answers there speaks HTTP/2 alone, as a gRPC listener does',
      advice: `This may be check.listen or admin.listen of the service; commands call http.listen. ${elsewhere}`,
    };
  }
  if (speaker === 'http' && protocol === 'https:') {
    return {
      why: 'what answers there speaks HTTP without TLS',
      advice: `Write the address as http://${host}`,
    };
  }
  if (speaker === 'other') return { why: 'what answers there does not speak HTTP', advice: elsewhere };
  return null;
}

function whyCut(cause: Cause | undefined, error: Error): string {
  const isCut = ['ECONNRESET', 'UND_ERR_SOCKET', 'EPIPE'].includes(cause?.code ?? '');
  return isCut ? 'the connection was cut off' : printable(cause?.message || error.message);
}
