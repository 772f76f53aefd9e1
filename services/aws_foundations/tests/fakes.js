/** The stores in memory, each with its guard and its faults; and the service over them, by HTTP. */
import { Guestbook } from '../src/guestbook.js';
import { logTo } from '../src/log.js';
import { guestbookServer } from '../src/server.js';

const turn = () => new Promise((resume) => setImmediate(resume)); // what a network is, to a test

export class FakeStores {
  rows = new Map();
  items = new Map();
  objects = new Map();
  records = [];
  cached = new Map();
  cacheIsAway = false;
  #failing = new Map();

  /** Let the next `times` calls of `name` ("table.put") fail; `after` they did their work: a lost reply. */
  fail(name, times = Infinity, { after = false } = {}) {
    this.#failing.set(name, { times, after });
  }

  heal() {
    this.#failing.clear();
  }

  get database() {
    return this.#store('database', {
      insert: (entry) => {
        const inserted = !this.rows.has(entry.id);
        if (inserted) this.rows.set(entry.id, { entry, record: null });
        return { ...this.rows.get(entry.id), inserted };
      },
      noteRecord: (id, position) => {
        const row = this.rows.get(id);
        row.record ??= position;
        return row.record;
      },
      find: (id) => this.rows.get(id),
    });
  }

  get table() {
    return this.#store('table', {
      put: (entry) => void (this.items.has(entry.id) || this.items.set(entry.id, entry)),
      find: (entry) => this.items.get(entry.id) ?? null,
      latest: (author, limit) =>
        [...this.items.values()].filter((each) => each.author === author).slice(0, limit),
    });
  }

  get bucket() {
    return this.#store('bucket', {
      put: (entry) => void (this.objects.has(entry.id) || this.objects.set(entry.id, entry)),
      find: (id) => this.objects.get(id) ?? null,
    });
  }

  get topic() {
    return this.#store('topic', {
      send: (entry) => ({ partition: 0, offset: this.records.push(entry) - 1 }),
    });
  }

  get cache() {
    return {
      check: async () => undefined,
      get: async (id) => (this.cacheIsAway ? undefined : this.cached.get(id)),
      put: async (id, answer) => void (this.cacheIsAway || this.cached.set(id, structuredClone(answer))),
    };
  }

  #store(store, methods) {
    const all = { check: () => undefined, ...methods };
    return Object.fromEntries(
      Object.entries(all).map(([name, work]) => [name, this.#over(`${store}.${name}`, work)]),
    );
  }

  #over(name, work) {
    return async (...given) => {
      await turn();
      const fault = this.#failing.get(name);
      const fails = fault && fault.times-- > 0;
      if (fails && !fault.after) throw new Error(`${name} is down`);
      const result = work(...given);
      await turn();
      if (fails) throw new Error(`the reply of ${name} was lost`);
      return result;
    };
  }
}

export class Lines {
  all = [];
  log = logTo({ write: (line) => this.all.push(JSON.parse(line)) });
}

const PATIENCE = { firstPause: 0, each: 200 };

export function guestbookOver(stores, { log = new Lines().log, Logic = Guestbook } = {}) {
  let seconds = 0; // each request has a time of its own
  return new Logic(stores, { log, patience: PATIENCE, now: () => new Date((seconds += 1) * 1_000) });
}

/** The service on a free port, until the test ends: call(method, path, {body, key, headers}). */
export async function serve(test, { stores = new FakeStores(), guestbook, where } = {}) {
  const lines = new Lines();
  const { server, drain } = guestbookServer({
    guestbook: guestbook ?? guestbookOver(stores, { log: lines.log }),
    where: where ?? (async () => ({ zone: 'a', instance: 'i' })),
    log: lines.log,
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  test.after(() => server.closeAllConnections() ?? server.close());
  const { port } = server.address();

  async function call(method, path, { body, key, headers = {} } = {}) {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...(key && { 'idempotency-key': key }), ...headers },
      body:
        body === undefined || typeof body === 'string' || body instanceof Uint8Array
          ? body
          : JSON.stringify(body),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, body: text && JSON.parse(text), text };
  }
  return { call, drain, lines, port, server, stores };
}
