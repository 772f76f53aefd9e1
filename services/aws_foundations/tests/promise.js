/** The promise of the guestbook, as checks to hold against any logic: also against one with a guard less. */
import assert from 'node:assert/strict';
import { FakeStores, guestbookOver } from './fakes.js';

export const hello = Object.freeze({ author: 'ann', text: 'hello', key: 'k1' });

/** Twenty at once want the same entry: all hear of one, one hears it is new, each store has it once. */
export async function aKeyIsOneEntryAlsoAtOnce(Logic) {
  const stores = new FakeStores();
  const guestbook = guestbookOver(stores, { Logic });
  const answers = await Promise.all(Array.from({ length: 20 }, () => guestbook.write(hello)));
  assert.equal(answers.filter((each) => each.created).length, 1);
  assert.equal(new Set(answers.map((each) => JSON.stringify([each.entry, each.stored]))).size, 1);
  assert.deepEqual([stores.rows.size, stores.items.size, stores.objects.size], [1, 1, 1]);
  assert.equal(
    new Set(stores.records.map((each) => each.id)).size,
    1,
    'repeats carry the id by which they are dropped',
  );
}

/** The same key with another text is refused, and changes nothing in any store. */
export async function aKeyIsOneText(Logic) {
  const stores = new FakeStores();
  const guestbook = guestbookOver(stores, { Logic });
  await guestbook.write(hello);
  await assert.rejects(guestbook.write({ ...hello, text: 'tampered' }), { status: 422 });
  const texts = [...stores.items.values(), ...stores.objects.values(), ...stores.records].map(
    (each) => each.text,
  );
  assert.deepEqual(texts, ['hello', 'hello', 'hello']);
}

/** What has its record is not sent again. */
export async function aRepeatSendsNoSecondRecord(Logic) {
  const stores = new FakeStores();
  const guestbook = guestbookOver(stores, { Logic });
  const first = await guestbook.write(hello);
  const again = await guestbook.write(hello);
  assert.deepEqual([first.created, again.created], [true, false]);
  assert.deepEqual(again.stored, first.stored);
  assert.equal(stores.records.length, 1);
}

/** A store that is down stops the entry there; the same request completes it, with the first one's time. */
export async function aRetryCompletesTheFirst(Logic) {
  const stores = new FakeStores();
  const guestbook = guestbookOver(stores, { Logic });
  stores.fail('table.put');
  await assert.rejects(guestbook.write(hello), { status: 503 });
  stores.heal();
  const { entry } = await guestbook.write(hello);
  const [row] = stores.rows.values();
  assert.deepEqual(
    [...stores.items.values(), ...stores.objects.values(), ...stores.records],
    [entry, entry, entry],
  );
  assert.deepEqual(row.entry, entry);
}
