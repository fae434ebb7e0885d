import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createHttp2Server, type Http2Server } from 'node:http2';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createSocketServer, type Server as SocketServer } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { httpFetch } from '../../src/cli/calls/http-fetch.ts';
import { createAuthority } from '../real/certificates.ts';
import { answering, postern } from './console.ts';

const environment = { POSTERN_ADMIN_KEY: 'k'.repeat(40) };
const nobody = '127.0.0.1:1';

async function listen(server: Server | SocketServer | Http2Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function list(address: string) {
  return postern(['keys', 'list', '--address', address], { environment, fetch: httpFetch });
}

const page = JSON.stringify({ data: [], next_page_token: null });

async function tlsServer(): Promise<string> {
  const { cert, key } = await (await createAuthority()).issue([{ type: 'ip', value: '127.0.0.1' }]);
  const files = { cert: readFileSync(cert), key: readFileSync(key) };
  return await listen(createTlsServer(files, (_, response) => response.end(page)));
}

it('says that a port without TLS was asked over TLS, and how to write the address', async () => {
  const at = await listen(createServer((_, response) => response.end(page)));

  expect(await list(`https://${at}`)).toEqual({
    exitCode: 4,
    stdout: '',
    stderr: `postern: https://${at} cannot be reached: what answers there speaks HTTP without TLS
The address is from --address.
Write the address as http://${at}
`,
  });
});

it('says that a port with TLS was asked without, and how to write the address', async () => {
  const at = await tlsServer();

  const { stderr, exitCode } = await list(`http://${at}`);

  expect(exitCode).toBe(4);
  expect(stderr).toContain(`http://${at} cannot be reached: what answers there speaks TLS\n`);
  expect(stderr).toContain(`Write the address as https://${at}\n`);
});

it('says how to make the authority of a certificate known', async () => {
  const at = await tlsServer();

  const { stderr } = await list(`https://${at}`);

  expect(stderr).toContain('a certificate whose authority is not known here\n');
  expect(stderr).toContain('NODE_EXTRA_CA_CERTS=ca.pem');
  expect(stderr).not.toContain('Start the service');
});

it("tells a gRPC listener from the service's HTTP listener", async () => {
  const at = await listen(createHttp2Server());

  const { stderr } = await list(`http://${at}`);

  expect(stderr).toContain('what answers there speaks HTTP/2 alone, as a gRPC listener does\n');
  expect(stderr).toContain('commands call http.listen');
  expect(stderr).not.toContain('Start the service');
});

it.each([
  ['that is no HTTP', 'SSH-2.0-OpenSSH_9.9\r\n', 'what answers there does not speak HTTP\n'],
  ['that hangs up', '', 'the connection was cut off\n'],
])('says what it is that answers, of a port %s', async (_, greeting, said) => {
  const at = await listen(createSocketServer((socket) => socket.on('error', () => {}).end(greeting)));

  const { stderr, exitCode } = await list(`http://${at}`);

  expect(exitCode).toBe(4);
  expect(stderr).toContain(said);
  expect(stderr).not.toContain('Start the service');
});

it('says what another program sent, of which type and from which server', async () => {
  const headers = { 'content-type': 'text/html', server: 'nginx' };
  const at = await listen(
    createServer((_, response) => response.writeHead(200, headers).end('<html>Welcome</html>')),
  );

  expect(await list(at)).toEqual({
    exitCode: 1,
    stdout: '',
    stderr: `postern: http://${at} answered 200, but not as Postern does
It sent text/html, from nginx.
The address is from --address.
Say where its HTTP listener is by --address or POSTERN_ADDRESS.
`,
  });
});

it('says that a path in the address may be wrong where a Postern answers that there is nothing', async () => {
  const error = {
    code: 'NOT_FOUND',
    message: 'There is nothing at this path.',
    details: { reason: 'PATH_NOT_FOUND' },
  };
  const { fetch } = answering(404, { error });

  const { stderr } = await postern(['keys', 'list', '--address', 'http://a.example/keys'], {
    environment,
    fetch,
  });

  expect(stderr).toBe(
    'postern: http://a.example/keys answered: There is nothing at this path.\n' +
      'The address is from --address.\nThe service may be at http://a.example, without the path.\n',
  );
});

it.each([
  [['--address', nobody], {}, 'The address is from --address.'],
  [[], { POSTERN_ADDRESS: nobody }, 'The address is from POSTERN_ADDRESS.'],
])('names where the address came from, with %j and %j', async (flags, given, from) => {
  const { stderr } = await postern(['keys', 'list', ...flags], {
    environment: { ...environment, ...given },
    fetch: httpFetch,
  });

  expect(stderr).toBe(`postern: http://${nobody} cannot be reached: nobody listens there
${from}
Start the service with "postern serve", or say where it listens by --address or POSTERN_ADDRESS.
`);
});

it('calls a service on a port that browsers refuse, of which config check warns', async () => {
  const server = createServer((_, response) => response.end(page));
  server.listen(10_080, '127.0.0.1');
  const isFree = await Promise.race([
    once(server, 'listening').then(() => true),
    once(server, 'error').then(() => false),
  ]);
  onTestFinished(() => server.closeAllConnections());
  onTestFinished(() => void server.close());

  const { stderr } = await list('127.0.0.1:10080');

  // Another process may have the port; that it was connected to is what counts.
  expect(stderr).not.toContain('bad port');
  if (isFree) expect(stderr).toBe('postern: there is no such key\n');
  const checked = await postern(['config', 'check', '--http-listen', '127.0.0.1:10080']);
  expect(checked.stdout + checked.stderr).toContain('browsers and fetch connect to no port 10080');
});

it.each([
  ['keys create --nam x', "unknown option '--nam'\n(Did you mean --name?)"],
  ['keys create --nam=x', "unknown option '--nam'\n(Did you mean --name?)"],
  ['keys list --perm x', "unknown option '--perm'\n(Did you mean --permission?)"],
  ['keys list --state activ', 'expired.\n(Did you mean active?)'],
  ['keys lst', "unknown command 'lst'\n(Did you mean list?)"],
  ['kys list', "unknown command 'kys'\n(Did you mean keys?)"],
  ['completion bsh', 'fish.\n(Did you mean bash?)'],
])('%s names what was meant', async (line, said) => {
  const { exitCode, stderr } = await postern(line.split(' '), { environment });

  expect(exitCode).toBe(2);
  expect(stderr).toContain(said);
});

it('says of an empty list that its scheme does not exist, and which one was meant', async () => {
  const terms = { data: { schemes: [{ name: 'mira', environments: ['live'] }] } };
  const answers = [{ data: [], next_page_token: null }, terms];
  const fetch = async () => new Response(JSON.stringify(answers.shift()));

  const { stderr } = await postern(['keys', 'list', '--scheme', 'mir'], { environment, fetch });

  expect(stderr).toBe('postern: there is no such key: no scheme is called "mir"; did you mean mira?\n');
});

it('takes the address of a caller by the old name of --client-ip too', async () => {
  const data = { allowed: true, reason: null, status: 200, key_id: null };
  for (const flag of ['--client-ip', '--address-of-caller']) {
    const { fetch, asked } = answering(200, { data });
    await postern(['keys', 'verify', flag, '10.1.2.3'], { environment, fetch, stdin: 'a-key' });
    expect(asked[0]?.body).toMatchObject({ address: '10.1.2.3' });
  }
});
