/** What the environment must say, and the one line when it does not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readSettings } from '../src/settings.js';

export const environment = Object.freeze({
  AWS_REGION: 'us-east-1',
  BUCKET_NAME: 'bucket',
  CACHE_HOST: 'cache.example',
  CACHE_PORT: '6379',
  CACHE_TOKEN_SECRET_ARN: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:token',
  DATABASE_HOST: 'db.example',
  DATABASE_NAME: 'guestbook',
  DATABASE_PORT: '5432',
  DATABASE_USER: 'guestbook',
  KAFKA_CLUSTER_ARN: 'arn:aws:kafka:us-east-1:000000000000:cluster/c/1',
  KAFKA_TOPIC: 'entries',
  TABLE_NAME: 'table',
});

test('what is required is enough', () => {
  const { host, port, bucketInPath, database, kafka, drainSeconds } = readSettings(environment);
  assert.deepEqual(
    { host, port, bucketInPath, drainSeconds },
    { host: '0.0.0.0', port: 8080, bucketInPath: false, drainSeconds: 0 },
  );
  assert.deepEqual([database.port, kafka.replication, kafka.partitions], [5432, 3, 6]);
});

for (const name of Object.keys(environment)) {
  test(`without ${name} one line names it`, () => {
    assert.throws(
      () => readSettings({ ...environment, [name]: '' }),
      new RegExp(`^Error: set ${name}\\. README`),
    );
  });
}

test('all that is wrong is named at once', () => {
  const wrong = {
    ...environment,
    TABLE_NAME: '',
    PORT: '80a',
    KAFKA_PARTITIONS: '0',
    DATABASE_CA_FILE: '/nowhere',
  };
  assert.throws(
    () => readSettings(wrong),
    ({ message }) =>
      ['set TABLE_NAME', 'PORT', 'KAFKA_PARTITIONS', 'DATABASE_CA_FILE'].every((each) =>
        message.includes(each),
      ) && !message.includes('\n'),
  );
});

test('the certificates of the database are read from their file', () => {
  const DATABASE_CA_FILE = fileURLToPath(import.meta.url);
  const { ca } = readSettings({ ...environment, DATABASE_CA_FILE }).database;
  assert.match(ca.at(-1), /are read from their file/);
  assert.match(ca[0], /BEGIN CERTIFICATE/, 'and those of public authorities, for an RDS Proxy');
});

test('at another endpoint the bucket goes into the path', () => {
  assert.equal(
    readSettings({ ...environment, AWS_ENDPOINT_URL: 'https://127.0.0.1:4566' }).bucketInPath,
    true,
  );
});
