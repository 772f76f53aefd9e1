/**
 * The guestbook over HTTP, by node:http alone: routes, answers, one log line a request, and an end in order.
 * Bad input is answered with 4xx before any store is touched.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { isId, LIMITS, parseEntry, parseKey, parseListing } from './entries.js';
import { described } from './log.js';
import { Problem } from './problem.js';

const DISCARDED_BYTES = 1024 * 1024; // of a body that is too large, read so that its sender hears the answer
const REQUEST_ID_LENGTH = 200;

/**
 * The server, not yet listening. `guestbook` is the logic; `where()` resolves to {zone, instance}.
 * `drain()` ends it in order and resolves when the last request is answered, or at its bound.
 */
export function guestbookServer({ guestbook, where, log }) {
  let draining = false;

  const routes = [
    {
      name: '/entries',
      path: /^\/entries$/,
      methods: {
        async GET({ query }) {
          const { author, limit } = parseListing(query);
          return { status: 200, body: { author, entries: await guestbook.latest(author, limit) } };
        },
        async POST({ request }) {
          requireJson(request.headers);
          const key = parseKey(request.headers['idempotency-key'] ?? randomUUID());
          const { author, text } = parseEntry(await readBody(request));
          const { entry, stored, created } = await guestbook.write({ author, text, key });
          return {
            status: created ? 201 : 200,
            headers: { location: `/entries/${entry.id}`, 'idempotency-key': key },
            body: { id: entry.id, author: entry.author, at: entry.at, stored },
          };
        },
      },
    },
    {
      name: '/entries/{id}',
      path: /^\/entries\/([^/]+)$/,
      methods: {
        async GET({ captured: [id] }) {
          if (!isId(id)) throw new Problem(404, 'there is no such entry');
          const { answer, from } = await guestbook.read(id);
          return { status: 200, headers: { 'x-read-from': from }, body: answer };
        },
      },
    },
    {
      name: '/health',
      path: /^\/health$/,
      methods: {
        // Of this process alone: were it of the stores, one store's outage would take every instance out.
        async GET() {
          return draining
            ? { status: 503, body: { status: 'draining' } }
            : { status: 200, body: { status: 'serving' } };
        },
      },
    },
    {
      name: '/ready',
      path: /^\/ready$/,
      methods: {
        async GET() {
          const stores = await guestbook.check();
          const needed = Object.keys(stores).filter((name) => name !== 'cache'); // without it: slower, and right
          const ready = !draining && needed.every((name) => stores[name]);
          return { status: ready ? 200 : 503, body: { ready, stores } };
        },
      },
    },
    {
      name: '/where',
      path: /^\/where$/,
      methods: {
        async GET() {
          return { status: 200, body: await where() };
        },
      },
    },
  ];

  async function answerTo(request, route, captured, query) {
    if (!route) throw new Problem(404, 'there is no such page');
    const method = request.method === 'HEAD' ? 'GET' : request.method; // node:http leaves the body out
    if (!Object.hasOwn(route.methods, method)) {
      const allow = Object.keys({ HEAD: true, ...route.methods })
        .sort()
        .join(', ');
      throw new Problem(405, `${route.name} knows ${allow}`, { headers: { allow } });
    }
    return route.methods[method]({ request, captured, query });
  }

  async function handle(request, response) {
    const started = performance.now();
    const { 'x-amzn-trace-id': traceId, 'x-request-id': givenId } = request.headers;
    const requestId = (traceId ?? givenId ?? randomUUID()).slice(0, REQUEST_ID_LENGTH);
    const [path, ...search] = request.url.split('?');
    const route = routes.find((each) => each.path.test(path));
    const name = route?.name ?? 'unknown';

    response.on('close', () => {
      const status = response.writableFinished ? response.statusCode : 499; // the client went away
      if (name === '/health' && status === 200) return; // every few seconds, from every zone
      const ms = Math.round(performance.now() - started);
      log.info('request', { requestId, method: request.method, route: name, status, ms });
    });

    const captured = route ? path.match(route.path).slice(1) : [];
    const query = new URLSearchParams(search.join('?'));
    const answer = await answerTo(request, route, captured, query).catch((error) => {
      if (error instanceof Problem) return { status: error.status, headers: error.headers, problem: error };
      log.error('a request failed', { requestId, route: name, ...described(error), stack: error.stack });
      return { status: 500, problem: new Problem(500, 'this is a fault of the service') };
    });

    if (draining) response.setHeader('connection', 'close');
    response.writeHead(answer.status, {
      'content-type': answer.problem ? 'application/problem+json' : 'application/json',
      'cache-control': 'no-store',
      'x-request-id': requestId,
      ...answer.headers,
    });
    response.end(`${JSON.stringify(answer.problem ?? answer.body)}\n`);
  }

  const server = createServer(
    {
      requestTimeout: 15_000, // for the whole request to arrive
      headersTimeout: 10_000,
      // Longer than the idle timeout of a load balancer (60 s): else it sends a request into a connection
      // that this side is just closing, and answers 502.
      keepAliveTimeout: 65_000,
    },
    handle,
  );

  /** Turn /health to 503, serve for `delayMs` more, then accept nothing and give `boundMs` to what runs. */
  async function drain({ delayMs = 0, boundMs }) {
    draining = true;
    if (delayMs > 0) await new Promise((resume) => setTimeout(resume, delayMs));
    const cut = setTimeout(() => server.closeAllConnections(), boundMs);
    await new Promise((closed) => server.close(closed)); // closes idle connections too
    clearTimeout(cut);
  }

  return { server, drain };
}

function requireJson(headers) {
  const [type, ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';');
  const charset = parameters.map((each) => each.trim()).find((each) => each.startsWith('charset='));
  if (type.trim() !== 'application/json' || (charset && !/^charset="?utf-8"?$/.test(charset))) {
    throw new Problem(415, 'the content type must be application/json, in UTF-8');
  }
  if (headers['content-encoding'] && headers['content-encoding'] !== 'identity') {
    throw new Problem(415, 'the body must not be compressed');
  }
}

async function readBody(request) {
  const chunks = [];
  let size = 0;
  try {
    for await (const chunk of request) {
      size += chunk.length;
      if (size > DISCARDED_BYTES) break;
      if (size <= LIMITS.bodyBytes) chunks.push(chunk);
    }
  } catch {
    throw new Problem(400, 'the body ended before its end'); // nobody is there to hear it
  }
  if (size > LIMITS.bodyBytes) {
    const headers = size > DISCARDED_BYTES ? { connection: 'close' } : {};
    throw new Problem(413, `the body may have at most ${LIMITS.bodyBytes} bytes`, { headers });
  }
  return Buffer.concat(chunks);
}
