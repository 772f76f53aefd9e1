/** What a client sees over HTTP. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { LIMITS } from '../src/entries.js';
import { serve } from './fakes.js';

const entry = { author: 'ann', text: 'hello' };

test('an entry is made once: 201, then 200 with the same answer, then read and listed', async (t) => {
  const { call } = await serve(t);
  const made = await call('POST', '/entries', { body: entry, key: 'k1' });
  const again = await call('POST', '/entries', { body: entry, key: 'k1' });
  assert.deepEqual([made.status, again.status], [201, 200]);
  assert.deepEqual(again.body, made.body);
  assert.deepEqual(Object.keys(made.body), ['id', 'author', 'at', 'stored']);
  assert.deepEqual(made.body.stored, {
    row: true,
    item: true,
    object: true,
    record: { partition: 0, offset: 0 },
  });
  assert.equal(made.headers.get('location'), `/entries/${made.body.id}`);

  const read = await call('GET', made.headers.get('location'));
  const whole = { ...entry, id: made.body.id, at: made.body.at };
  assert.deepEqual(read.body, {
    row: { ...whole, record: made.body.stored.record },
    item: whole,
    object: whole,
  });
  const listed = await call('GET', '/entries?author=ann&limit=1');
  assert.deepEqual(listed.body, { author: 'ann', entries: [whole] });
});

test('without a key each request is its own entry, and the answer says the key that it got', async (t) => {
  const { call } = await serve(t);
  const [first, second] = [
    await call('POST', '/entries', { body: entry }),
    await call('POST', '/entries', { body: entry }),
  ];
  assert.notEqual(first.body.id, second.body.id);
  const retry = await call('POST', '/entries', { body: entry, key: first.headers.get('idempotency-key') });
  assert.deepEqual([retry.status, retry.body.id], [200, first.body.id]);
});

test('a store that is down is 503 with what stands and when to come back', async (t) => {
  const { call, stores } = await serve(t);
  stores.fail('bucket.put');
  const cut = await call('POST', '/entries', { body: entry, key: 'k1' });
  assert.equal(cut.status, 503);
  assert.deepEqual(cut.body.stored, { row: true, item: true, object: false, record: null });
  assert.equal(cut.headers.get('retry-after'), '2');
  stores.heal();
  const done = await call('POST', '/entries', { body: entry, key: 'k1' });
  assert.deepEqual([done.status, done.body.id, stores.rows.size], [200, cut.body.id, 1]);
});

const REFUSED = [
  [
    'another text under the key',
    'POST',
    '/entries',
    { body: { ...entry, text: 'tampered' }, key: 'taken' },
    422,
  ],
  ['a body that is not JSON', 'POST', '/entries', { body: '{' }, 400],
  ['no body', 'POST', '/entries', {}, 400],
  ['a body that is not UTF-8', 'POST', '/entries', { body: new Uint8Array([0x22, 0xff, 0x22]) }, 400],
  ['a bad key', 'POST', '/entries', { body: entry, headers: { 'idempotency-key': 'two words' } }, 400],
  [
    'a body that is too large',
    'POST',
    '/entries',
    { body: { ...entry, text: 'x'.repeat(LIMITS.bodyBytes) } },
    413,
  ],
  ['a body that is far too large', 'POST', '/entries', { body: 'x'.repeat(900_000) }, 413],
  [
    'a form',
    'POST',
    '/entries',
    { body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    415,
  ],
  [
    'another charset',
    'POST',
    '/entries',
    { body: entry, headers: { 'content-type': 'application/json; charset=latin1' } },
    415,
  ],
  ['a compressed body', 'POST', '/entries', { body: entry, headers: { 'content-encoding': 'gzip' } }, 415],
  ['a list of nobody', 'GET', '/entries', {}, 400],
  ['a list of half a character', 'GET', '/entries?author=%ED%A0%80%00', {}, 400],
  ['an id that is none', 'GET', '/entries/%00', {}, 404],
  ['an id that nobody has', 'GET', '/entries/00000000-0000-8000-8000-000000000000', {}, 404],
  ['an unknown page', 'GET', '/admin', {}, 404],
  ['a page by another case', 'GET', '/Entries', {}, 404],
  ['a wrong method', 'DELETE', '/entries', {}, 405],
  ['a method that is a name in the code', 'POST', '/health', {}, 405],
];
for (const [what, method, path, options, status] of REFUSED) {
  test(`${what} is ${status}, with one line that says why`, async (t) => {
    const { call } = await serve(t);
    await call('POST', '/entries', { body: entry, key: 'taken' });
    const { status: seen, headers, body, text } = await call(method, path, options);
    assert.equal(seen, status, text);
    assert.equal(headers.get('content-type'), 'application/problem+json');
    assert.equal(text.trimEnd().split('\n').length, 1);
    assert.deepEqual([body.status, typeof body.title, typeof body.detail], [status, 'string', 'string']);
    assert.equal(headers.has('allow'), status === 405);
  });
}

test('bad input never reaches a store', async (t) => {
  const { call, stores } = await serve(t);
  await call('POST', '/entries', { body: { author: 'ann', text: '\u0000' } });
  await call('POST', '/entries', { body: { ...entry, text: 'x'.repeat(LIMITS.bodyBytes) } });
  assert.equal(stores.rows.size, 0);
});

test('a body that grows without end is cut off', async (t) => {
  const { port } = await serve(t);
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {}); // it is cut off while it still writes
  socket.write(
    'POST /entries HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
  );
  const piece = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
  const more = () => socket.write(piece, (error) => error || more());
  more();
  await new Promise((closed) => socket.on('close', closed));
});

test('a fault of our own is 500, told to the log and not to the client', async (t) => {
  const broken = { check: () => Promise.reject(new TypeError('secret detail')) };
  const { call, lines } = await serve(t, { guestbook: broken });
  const { status, text } = await call('GET', '/ready');
  assert.equal(status, 500);
  assert.ok(!text.includes('secret'));
  assert.equal(lines.all.find((line) => line.level === 'error').reason, 'secret detail');
});

test('a HEAD answers as a GET, without a body', async (t) => {
  const { call } = await serve(t);
  const { status, text } = await call('HEAD', '/where');
  assert.deepEqual([status, text], [200, '']);
});

test('a connection is kept, also after an answer that did not wait for the body', async (t) => {
  const { call } = await serve(t);
  for (const [method, path, options] of [
    ['GET', '/nowhere', {}],
    ['POST', '/entries', { body: entry, headers: { 'content-type': 'text/plain' } }],
    ['POST', '/entries', { body: entry }],
  ]) {
    assert.equal((await call(method, path, options)).headers.get('connection'), 'keep-alive');
  }
});

test('where it runs is said', async (t) => {
  const { call } = await serve(t, { where: async () => ({ zone: 'us-east-1b', instance: 'i-1' }) });
  assert.deepEqual((await call('GET', '/where')).body, { zone: 'us-east-1b', instance: 'i-1' });
});

test('the health is of the process alone, the readiness of each store', async (t) => {
  const { call, stores } = await serve(t);
  assert.deepEqual((await call('GET', '/ready')).body.ready, true);
  stores.fail('database.check');
  const ready = await call('GET', '/ready');
  assert.deepEqual(
    [ready.status, ready.body.ready, ready.body.stores.database, ready.body.stores.table],
    [503, false, false, true],
  );
  assert.equal((await call('GET', '/health')).status, 200);
});

test('each request is one line with the id that the load balancer gave it, and no body', async (t) => {
  const { call, lines } = await serve(t);
  const { headers } = await call('POST', '/entries', {
    body: entry,
    headers: { 'x-amzn-trace-id': 'Root=1-2-3', 'x-request-id': 'r' },
  });
  await call('GET', '/nowhere', { headers: { 'x-request-id': 'r' } });
  await call('GET', '/health');
  assert.equal(headers.get('x-request-id'), 'Root=1-2-3');
  const seen = lines.all.map(({ level, message, requestId, method, route, status }) => [
    level,
    message,
    requestId,
    method,
    route,
    status,
  ]);
  assert.deepEqual(seen, [
    ['info', 'request', 'Root=1-2-3', 'POST', '/entries', 201],
    ['info', 'request', 'r', 'GET', 'unknown', 404],
  ]);
  assert.ok(lines.all.every(({ at, ms }) => !Number.isNaN(Date.parse(at)) && ms >= 0));
  assert.ok(!JSON.stringify(lines.all).includes(entry.text));
});

/** A server with a request that runs until `release` is called. */
async function withOneRunning(t) {
  let release, arrive;
  const released = new Promise((resolve) => (release = resolve));
  const arrived = new Promise((resolve) => (arrive = resolve));
  const latest = async () => {
    arrive();
    await released;
    return [];
  };
  const world = await serve(t, { guestbook: { latest, check: async () => ({}) } });
  const running = world.call('GET', '/entries?author=ann');
  await arrived;
  return { ...world, release, running };
}

test('told to stop, it says so while it still serves, finishes what runs, and takes no more', async (t) => {
  const { call, drain, release, running, port } = await withOneRunning(t);
  const drained = drain({ delayMs: 1_000, boundMs: 5_000 });
  assert.deepEqual([(await call('GET', '/health')).status, (await call('GET', '/ready')).status], [503, 503]);
  release();
  const { status, headers } = await running;
  assert.deepEqual([status, headers.get('connection')], [200, 'close']);
  await drained;
  await assert.rejects(fetch(`http://127.0.0.1:${port}/health`));
});

test('a request that does not finish is cut off at the bound', async (t) => {
  const { drain, running } = await withOneRunning(t);
  await Promise.all([drain({ boundMs: 20 }), assert.rejects(running)]);
});
