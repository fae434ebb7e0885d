/** What a Check denies for, in words; each reason has the same colour on every page, the class `reason` of its own. */
const words: Readonly<Record<string, string>> = {
  missing: 'No key',
  ambiguous: 'Several keys',
  malformed: 'Malformed',
  unknown: 'Unknown',
  revoked: 'Revoked',
  disabled: 'Disabled',
  expired: 'Expired',
  wrong_environment: 'Wrong environment',
  owner_inactive: 'Owner inactive',
  address_denied: 'Address not allowed',
  principal_denied: 'Caller not allowed',
  permission_denied: 'Permission missing',
  rate_limited: 'Over its limit',
  cleartext: 'Sent in clear text',
  unavailable: 'Unavailable',
};

export function reasonText(reason: string): string {
  const spaced = reason.replaceAll('_', ' ');
  return words[reason] ?? spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

/** The class that gives a reason its colour; one that is not known here has that of none. */
export function reasonClass(reason: string): string {
  return Object.hasOwn(words, reason) ? `reason-${reason}` : 'reason-other';
}

export const knownReasons: readonly string[] = Object.keys(words);
