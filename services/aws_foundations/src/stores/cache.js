/** What was read a moment ago, in ElastiCache: by TLS, with a token from Secrets Manager. It may be away. */
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { createClient } from '@redis/client';
import { once, within } from '../bounds.js';
import { described } from '../log.js';
import { clientOptions } from './clients.js';

export const CACHE_SECONDS = 60;
const PATIENCE_MS = 250; // a cache that is slower than the stores is of no use
const keyOf = (id) => `entry:${id}`;

/**
 * get(id) → answer | undefined, put(id, answer). Neither ever rejects: without its cache the service is slower,
 * and right. check() does.
 */
export function openCache({ region, cache: { host, port, token } }, log) {
  const secrets = new SecretsManagerClient(clientOptions(region));
  let client; // from its first try on it tries by itself, until it is destroyed: connect() may never end
  let connected; // the same, once it was reached
  let closed = false;

  const connect = once(async () => {
    const { SecretString: password } = await secrets.send(new GetSecretValueCommand({ SecretId: token }));
    if (closed) throw new Error('closed');
    client = createClient({
      socket: { host, port, tls: true, servername: host, connectTimeout: 2_000 },
      password,
      disableOfflineQueue: true, // a command waits for no connection: it fails, and the stores are asked
    });
    client.on('error', (error) => log.warn('the cache is away', described(error)));
    await client.connect();
    if (closed) throw new Error('closed'); // that is how connect() ends then: it resolves
    connected = client;
  });

  // Nobody waits for the first connection: what would, at every request, would pile up while the cache is away.
  const reached = () => {
    if (!connected) throw new Error('not connected yet');
    return connected;
  };

  const quietly = async (work) => {
    try {
      return await within(PATIENCE_MS, async () => work(reached()));
    } catch (error) {
      log.warn('the cache does not answer', described(error));
      return undefined;
    }
  };

  return {
    async get(id) {
      const found = await quietly((client) => client.get(keyOf(id)));
      return found ? JSON.parse(found) : undefined;
    },

    async put(id, answer) {
      await quietly((client) => client.set(keyOf(id), JSON.stringify(answer), { expiration: { type: 'EX', value: CACHE_SECONDS } }));
    },

    prepare: connect,

    async check() {
      await reached().ping();
    },

    async close() {
      closed = true;
      connected = undefined;
      secrets.destroy();
      if (client?.isOpen) client.destroy();
    },
  };
}
