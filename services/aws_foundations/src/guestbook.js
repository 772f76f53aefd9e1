/**
 * One entry in four stores, each written once however often the request is sent.
 *
 * There is no transaction over four stores. In its place: the row decides (it is the source of truth, and
 * says what the entry is), every write is idempotent, and they come in one order. A request that fails on the
 * way leaves the first parts standing, says which, and is completed by sending it again with the same key.
 *
 * The record is different: Kafka has no "if absent". Its position is noted in the row once it is known, and
 * what is noted is not sent again; between sending and noting, a crash or a concurrent retry sends a second
 * one. So the topic is at least once, and its consumers drop repeats by the id.
 *
 * The stores, given from outside; `entry` is {id, author, at, text}, all strings, `at` in ISO 8601:
 *   database  insert(entry) → {entry, record, inserted}   find(id) → {entry, record} | undefined
 *             noteRecord(id, position) → position
 *   table     put(entry)   find(entry) → entry | null   latest(author, limit) → entry[]
 *   bucket    put(entry)   find(id) → entry | null
 *   topic     send(entry) → {partition, offset}
 *   cache     get(id) → answer | undefined   put(id, answer), neither of which ever rejects
 * and each has check(), which rejects when the store does not answer.
 */
import { within, withRetries } from './bounds.js';
import { entryId } from './entries.js';
import { described } from './log.js';
import { Problem } from './problem.js';

const RETRY_AFTER_S = 2;
const CHECK_MS = 1_500;

export class Guestbook {
  #stores;
  #log;
  #now;
  #patience;

  constructor({ database, table, bucket, topic, cache }, { log, now = () => new Date(), patience = {} }) {
    this.#stores = { database, table, bucket, topic, cache };
    this.#log = log;
    this.#now = now;
    this.#patience = patience;
  }

  /**
   * Write an entry, or complete the one that an earlier request with the same author and key began.
   * Resolves to {entry, stored, created}; rejects with a Problem: 422 when the key stands for another text,
   * 503 with the parts that stand when a store failed.
   */
  async write({ author, text, key }) {
    const { database, table, bucket, topic } = this.#stores;
    const stored = { row: false, item: false, object: false, record: null };
    const id = entryId(author, key);
    const put = (part, work) =>
      this.#reach(
        part,
        work,
        `the ${part} could not be stored; send the request again with the same Idempotency-Key`,
        {
          headers: { 'idempotency-key': key },
          members: { id, stored },
        },
      );

    const wanted = { id, author, at: this.#now().toISOString(), text };
    const { entry, record, inserted } = await put('row', () => database.insert(wanted));
    if (entry.text !== text) {
      throw new Problem(422, 'this Idempotency-Key was used with another text', { members: { id } });
    }
    stored.row = true;
    // From here on it is the row's entry that is written, so that a retry writes the first one's time.
    await put('item', () => table.put(entry));
    stored.item = true;
    await put('object', () => bucket.put(entry));
    stored.object = true;
    if (record) {
      stored.record = record;
    } else {
      const position = await put('record', () => topic.send(entry));
      stored.record = await put('record', () => database.noteRecord(id, position));
    }
    return { entry, stored, created: inserted };
  }

  /**
   * {answer, from} of an entry: {row, item, object} as the three stores have it, or had it less than a minute
   * ago, and whether it came "from" them or the "cache". Rejects with a Problem: 404, 503.
   */
  async read(id) {
    const { cache } = this.#stores;
    const kept = await cache.get(id);
    if (kept) return { answer: kept, from: 'cache' };
    const answer = await this.#readFromStores(id);
    // What is whole never changes again; what is not yet may be completed at any moment.
    if (answer.item && answer.object && answer.row.record) await cache.put(id, answer);
    return { answer, from: 'stores' };
  }

  async #readFromStores(id) {
    const { database, table, bucket } = this.#stores;
    const get = (part, work) => this.#reach(part, work, `the ${part} could not be read; try again later`);
    const found = await get('row', () => database.find(id));
    if (!found) throw new Problem(404, 'there is no such entry');
    const [item, object] = await Promise.all([
      get('item', () => table.find(found.entry)),
      get('object', () => bucket.find(id)),
    ]);
    return { row: { ...found.entry, record: found.record }, item, object };
  }

  /** The latest `limit` entries of an author, newest first; rejects with a Problem: 503. */
  async latest(author, limit) {
    return this.#reach(
      'item',
      () => this.#stores.table.latest(author, limit),
      'the entries could not be read; try again later',
    );
  }

  /** Which stores answer: {database: true, table: false, …}. */
  async check() {
    const answers = Object.entries(this.#stores).map(async ([name, store]) => {
      const answered = within(CHECK_MS, () => store.check()).then(
        () => true,
        (error) => {
          this.#log.warn('a store is not ready', { store: name, ...described(error) });
          return false;
        },
      );
      return [name, await answered];
    });
    return Object.fromEntries(await Promise.all(answers));
  }

  async #reach(part, work, detail, { headers = {}, members = {} } = {}) {
    try {
      return await withRetries(work, this.#patience);
    } catch (error) {
      this.#log.warn('a store failed', { part, ...described(error) });
      throw new Problem(503, detail, {
        headers: { 'retry-after': String(RETRY_AFTER_S), ...headers },
        members,
      });
    }
  }
}
