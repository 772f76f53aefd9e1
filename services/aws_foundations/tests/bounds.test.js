/** Every wait has a bound; and where the process runs is asked once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { once, untilItSucceeds, within, withRetries } from '../src/bounds.js';
import { locator } from '../src/where.js';

const failing = (times) => {
  let calls = 0;
  const work = async () => {
    calls += 1;
    if (calls <= times) throw new Error(`call ${calls}`);
    return calls;
  };
  return { work, calls: () => calls };
};

test('what takes too long is given up', async () => {
  await assert.rejects(
    within(10, () => new Promise(() => {})),
    /no answer within 10 ms/,
  );
});

test('three tries, and the error of the last', async () => {
  assert.equal(await withRetries(failing(2).work, { firstPause: 0 }), 3);
  const lasting = failing(Infinity);
  await assert.rejects(withRetries(lasting.work, { firstPause: 0 }), /call 3/);
  assert.equal(lasting.calls(), 3);
});

test('a success is remembered, a failure is not', async () => {
  const { work, calls } = failing(1);
  const remembered = once(work);
  await assert.rejects(remembered());
  assert.deepEqual([await remembered(), await remembered(), calls()], [2, 2, 2]);
});

test('at the start it is tried until it succeeds, or until the process is to stop', async () => {
  const failures = [];
  const options = { failed: (error) => failures.push(error.message), firstPause: 1 };
  assert.equal(
    await untilItSucceeds(failing(2).work, { ...options, signal: new AbortController().signal }),
    3,
  );
  assert.deepEqual(failures, ['call 1', 'call 2']);
  const stopping = new AbortController();
  const stopped = untilItSucceeds(failing(Infinity).work, {
    ...options,
    signal: stopping.signal,
    firstPause: 60_000,
  });
  setImmediate(() => stopping.abort());
  assert.equal(await stopped, undefined);
});

const METADATA = {
  'api/token': 'token',
  'meta-data/placement/availability-zone': 'us-east-1c',
  'meta-data/instance-id': 'i-7',
};

function metadataService(asked) {
  return async (url, { method = 'GET', headers }) => {
    const path = url.replace('http://metadata/latest/', '');
    asked.push(`${method} ${path}`);
    const allowed = path === 'api/token' ? method === 'PUT' : headers['x-aws-ec2-metadata-token'] === 'token';
    return new Response(METADATA[path], { status: allowed ? 200 : 401 });
  };
}

test('zone and instance come from the metadata service, by its second version, asked once', async () => {
  const asked = [];
  const where = locator({ metadata: 'http://metadata/', zone: 'ignored' }, metadataService(asked));
  assert.deepEqual(await where(), { zone: 'us-east-1c', instance: 'i-7' });
  await where();
  assert.deepEqual(asked, [
    'PUT api/token',
    'GET meta-data/placement/availability-zone',
    'GET meta-data/instance-id',
  ]);
});

test('in a pod the instance is the pod', async () => {
  const where = locator({ metadata: 'http://metadata', instance: 'pod-1' }, metadataService([]));
  assert.deepEqual(await where(), { zone: 'us-east-1c', instance: 'pod-1' });
});

test('without a metadata service it is what the environment says, or unknown', async () => {
  const nobody = async () => new Response('', { status: 404 });
  assert.deepEqual(await locator({ metadata: 'http://m', zone: 'a', instance: 'p' }, nobody)(), {
    zone: 'a',
    instance: 'p',
  });
  assert.deepEqual(await locator({ metadata: 'http://m' }, nobody)(), {
    zone: 'unknown',
    instance: 'unknown',
  });
});
