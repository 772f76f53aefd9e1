/** One entry in four stores, each once, whatever fails on the way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Guestbook } from '../src/guestbook.js';
import { FakeStores, guestbookOver, Lines } from './fakes.js';
import * as promise from './promise.js';
import { hello } from './promise.js';

test('twenty at once with one key make one entry', () => promise.aKeyIsOneEntryAlsoAtOnce(Guestbook));
test('a key that comes back with another text is refused', () => promise.aKeyIsOneText(Guestbook));
test('a repeat sends no second record', () => promise.aRepeatSendsNoSecondRecord(Guestbook));
test('a retry completes what an outage cut off, with the first time', () =>
  promise.aRetryCompletesTheFirst(Guestbook));

test('the same key of another author is another entry', async () => {
  const stores = new FakeStores();
  const guestbook = guestbookOver(stores);
  await guestbook.write(hello);
  await guestbook.write({ ...hello, author: 'bob' });
  assert.equal(stores.rows.size, 2);
});

const STANDS = {
  'database.insert': { row: false, item: false, object: false, record: null },
  'table.put': { row: true, item: false, object: false, record: null },
  'bucket.put': { row: true, item: true, object: false, record: null },
  'topic.send': { row: true, item: true, object: true, record: null },
  'database.noteRecord': { row: true, item: true, object: true, record: null },
};
for (const [call, stands] of Object.entries(STANDS)) {
  for (const after of [false, true]) {
    const how = after ? 'whose replies are lost' : 'that is down';
    test(`with a ${call} ${how} it is 503 with what stands, and a retry completes it once`, async () => {
      const stores = new FakeStores();
      const guestbook = guestbookOver(stores);
      stores.fail(call, Infinity, { after });
      await assert.rejects(guestbook.write(hello), (problem) => {
        assert.equal(problem.status, 503);
        assert.deepEqual(problem.members.stored, stands);
        assert.equal(problem.headers['idempotency-key'], hello.key);
        return true;
      });
      stores.heal();
      const { entry, stored } = await guestbook.write(hello);
      assert.deepEqual(
        { ...stored, record: typeof stored.record.offset },
        { row: true, item: true, object: true, record: 'number' },
      );
      assert.deepEqual([stores.rows.size, stores.items.size, stores.objects.size], [1, 1, 1]);
      assert.ok(
        stores.records.every((record) => record.id === entry.id),
        'a repeated record has the same id',
      );
      assert.ok(after || call === 'database.noteRecord' || stores.records.length === 1);
    });
  }

  test(`a ${call} that fails twice is not seen by the client`, async () => {
    const stores = new FakeStores();
    stores.fail(call, 2);
    assert.equal((await guestbookOver(stores).write(hello)).created, true);
    assert.equal(stores.records.length, 1);
  });
}

test('a store that hangs is given up after its bound', async () => {
  const stores = new FakeStores();
  const hanging = {
    database: stores.database,
    table: { put: () => new Promise(() => {}) },
    bucket: stores.bucket,
    topic: stores.topic,
    cache: stores.cache,
  };
  const guestbook = new Guestbook(hanging, {
    log: new Lines().log,
    patience: { tries: 2, each: 20, firstPause: 0 },
  });
  await assert.rejects(guestbook.write(hello), { status: 503 });
});

test('an entry is read back from the three stores, and what is missing in one is null', async () => {
  const stores = new FakeStores();
  stores.cacheIsAway = true;
  const guestbook = guestbookOver(stores);
  const { entry, stored } = await guestbook.write(hello);
  const row = { ...entry, record: stored.record };
  assert.deepEqual(await guestbook.read(entry.id), {
    answer: { row, item: entry, object: entry },
    from: 'stores',
  });
  stores.objects.clear();
  assert.deepEqual((await guestbook.read(entry.id)).answer, { row, item: entry, object: null });
  stores.rows.clear();
  await assert.rejects(guestbook.read(entry.id), { status: 404 });
});

test('what is whole is read from the cache the second time, also while the stores are down', async () => {
  const stores = new FakeStores();
  const guestbook = guestbookOver(stores);
  const { entry } = await guestbook.write(hello);
  const first = await guestbook.read(entry.id);
  for (const call of ['database.find', 'table.find', 'bucket.find']) stores.fail(call);
  assert.deepEqual(await guestbook.read(entry.id), { answer: first.answer, from: 'cache' });
});

test('what is not whole yet is not kept: its next reader sees it completed', async () => {
  const stores = new FakeStores();
  const guestbook = guestbookOver(stores);
  stores.fail('bucket.put');
  await assert.rejects(guestbook.write(hello), { status: 503 });
  const { id } = [...stores.rows.values()][0].entry;
  assert.equal((await guestbook.read(id)).answer.object, null);
  stores.heal();
  await guestbook.write(hello);
  assert.notEqual((await guestbook.read(id)).answer.object, null);
});

test('reading from a store that is down is 503, not 404', async () => {
  const stores = new FakeStores();
  const guestbook = guestbookOver(stores);
  const { entry } = await guestbook.write(hello);
  for (const call of ['database.find', 'table.find', 'bucket.find', 'table.latest']) {
    stores.fail(call);
    await assert.rejects(call === 'table.latest' ? guestbook.latest('ann', 1) : guestbook.read(entry.id), {
      status: 503,
    });
    stores.heal();
  }
});

test('what is logged of a failure says the part and the reason, and nothing of the entry', async () => {
  const stores = new FakeStores();
  const lines = new Lines();
  stores.fail('bucket.put');
  await assert.rejects(guestbookOver(stores, { log: lines.log }).write(hello));
  const [{ level, part, reason }] = lines.all;
  assert.deepEqual({ level, part, reason }, { level: 'warn', part: 'object', reason: 'bucket.put is down' });
  assert.ok(!JSON.stringify(lines.all).includes(hello.text));
});

test('the check says of each store whether it answers', async () => {
  const stores = new FakeStores();
  stores.fail('topic.check');
  const answers = await guestbookOver(stores).check();
  assert.deepEqual(answers, { database: true, table: true, bucket: true, topic: false, cache: true });
});
