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

  const connect = once(async () => {
    const { SecretString: password } = await secrets.send(new GetSecretValueCommand({ SecretId: token }));
    const client = createClient({
      socket: { host, port, tls: true, servername: host, connectTimeout: 2_000 },
      password,
      disableOfflineQueue: true, // a command waits for no connection: it fails, and the stores are asked
    });
    client.on('error', (error) => log.warn('the cache is away', described(error)));
    await client.connect();
    return client;
  });

  const quietly = async (work) => {
    try {
      return await within(PATIENCE_MS, async () => work(await connect()));
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
      await (await connect()).ping();
    },

    async close() {
      secrets.destroy();
      (await connect().catch(() => undefined))?.destroy();
    },
  };
}
