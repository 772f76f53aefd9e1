/** The cache that nobody has reached yet: the secret is there, and nothing listens where the cache should. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { openCache } from '../src/stores/cache.js';
import { Lines } from './fakes.js';

const WITHIN_MS = 5_000;

async function secretsManager(test) {
  const server = createServer((request, answer) => {
    answer.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' });
    answer.end(JSON.stringify({ SecretString: 'token' }));
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  test.after(() => server.closeAllConnections() ?? server.close());
  // Each file of tests is a process of its own: nobody else sees these.
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${server.address().port}`,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  });
}

function unreached() {
  const lines = new Lines();
  const settings = { region: 'us-east-1', cache: { host: '127.0.0.1', port: 1, token: 'token' } };
  const told = (message) => lines.all.filter((each) => each.message === message);
  return { cache: openCache(settings, lines.log), told };
}

async function until(holds) {
  for (let waited = 0; !holds(); waited += 10) {
    assert.ok(waited < WITHIN_MS, 'it never came');
    await pause(10);
  }
}

test('a call does not wait for a cache that was never reached', { timeout: 20_000 }, async (t) => {
  await secretsManager(t);
  const { cache, told } = unreached();
  t.after(() => cache.close());
  cache.prepare().catch(() => {});
  await until(() => told('the cache is away').length > 0);

  assert.equal(await cache.get('id'), undefined);
  await cache.put('id', {});
  await assert.rejects(cache.check(), /not connected yet/);
  const reasons = told('the cache does not answer').map((each) => each.reason);
  assert.deepEqual(reasons, ['not connected yet', 'not connected yet']);
});

test('closing ends a client that is still trying', { timeout: 20_000 }, async (t) => {
  await secretsManager(t);
  const { cache, told } = unreached();
  const prepared = cache.prepare();
  await until(() => told('the cache is away').length > 0);

  await cache.close();
  await assert.rejects(prepared, /closed/);
  const tries = told('the cache is away').length;
  await pause(1_000); // its first pauses are shorter than half a second
  assert.equal(told('the cache is away').length, tries);
  await assert.rejects(cache.check(), /not connected yet/);
});

test('a cache that is closed connects no more', { timeout: 20_000 }, async (t) => {
  await secretsManager(t);
  const { cache, told } = unreached();
  await cache.close();
  await assert.rejects(cache.prepare(), /closed/);
  assert.deepEqual(told('the cache is away'), []);
});
