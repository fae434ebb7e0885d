/** What the examples of the document show; no secret among them is one. */
export const keyExample = {
  id: 'key_01k0c6h3v8s9w2m4n5p7q8r9t1',
  name: 'Asset backend',
  prefix: 'pst_live_s3BT',
  permissions: ['read:assets'],
  created_at: '2031-01-01T12:00:00Z',
  last_used_at: null,
  expires_at: '2031-04-01T12:00:00Z',
  scheme: 'postern',
  environment: 'live',
  owner: 'acme',
  last4: '6WNH',
  ip_allowlist: ['203.0.113.0/24'],
  plan: null,
  rate_limit: { limit: 100, window: '60s' },
  labels: { team: 'grid' },
  state: 'active',
  updated_at: '2031-01-01T12:00:00Z',
  revoked_at: null,
  rotated_from: null,
  etag: 'v1',
  roles: ['reader'],
  rate_limits: [{ name: 'default', limit: 100, window: '60s', shared_by: 'key' }],
  principals: [],
  external_id: null,
  created_by: 'POSTERN_ADMIN_KEY',
  replaced_by: null,
  blocked: null,
};

export const secretExample = 'pst_live_s3BT…6WNH';

export const settlementExample = { effective_at: '2031-01-01T12:00:00.012Z', unconfirmed_replicas: [] };

export const ownerExample = {
  id: 'acme',
  plan: 'pro',
  active_until: '2031-01-31T00:00:00Z',
  suspended: false,
  active: true,
  created_at: '2031-01-01T12:00:00Z',
  updated_at: '2031-01-01T12:00:00Z',
  etag: 'v1',
  name: 'Acme Ltd',
  contact: 'billing@acme.example',
  labels: { segment: 'energy' },
  billing_anchor: '2031-01-15T00:00:00Z',
  keys_max: null,
};

export const roleExample = {
  id: 'reader',
  description: 'Reads all there is',
  permissions: ['read:*'],
  created_at: '2031-01-01T12:00:00Z',
  updated_at: '2031-01-01T12:00:00Z',
  etag: 'v1',
};

export const auditEventExample = {
  id: 'evt_0000000000000001',
  at: '2031-01-01T12:00:00.012Z',
  actor: 'POSTERN_ADMIN_KEY',
  action: 'CreateKey',
  target: keyExample.id,
  outcome: 'ok',
  address: '203.0.113.7',
  request_id: null,
  before: null,
  after: keyExample,
  owner: 'acme',
  error: null,
  kind: 'call',
  once: null,
  previous_hash: '0'.repeat(64),
  hash: '9f86d081'.repeat(8),
  actor_name: null,
  target_name: keyExample.name,
};
