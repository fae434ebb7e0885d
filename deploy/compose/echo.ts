/** An upstream that answers with what it was sent: `node echo.ts PORT`. */
import { createServer } from 'node:http';

const port = Number(process.argv[2] ?? 8_000);

const server = createServer((request, response) => {
  request.resume();
  response.setHeader('content-type', 'application/json');
  const { method, url, headersDistinct: headers } = request;
  response.end(`${JSON.stringify({ method, url, headers })}\n`);
});
server.listen(port, '0.0.0.0');
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => server.close());
