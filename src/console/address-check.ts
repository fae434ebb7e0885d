import { parseNetwork } from '../net/address.ts';
import { faultText } from './markup/controls.ts';
import type { Page } from './session/visit.ts';

const entriesMax = 100;
const descriptions = {
  no: 'is not an IP address or a CIDR block',
  many: `may have at most ${entriesMax} entries`,
};

/** Says what is wrong with addresses while they are typed, by the rule that the API has. */
export const addressCheckPage: Page = {
  path: '/addresses',
  async get({ query }) {
    const entries = (query.get('text') ?? '').split(/[\s,]+/).filter((entry) => entry !== '');
    if (entries.length > entriesMax) return { json: { problem: descriptions.many } };
    const faults = entries.flatMap((entry, at) =>
      parseNetwork(entry) === null ? [{ field: `ip_allowlist.${at}`, description: descriptions.no }] : [],
    );
    return { json: { problem: faults.map(faultText).join('; ') } };
  },
};
