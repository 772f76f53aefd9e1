/** The program itself, as a process: with its libraries, and with no store anywhere. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url));
const NOBODY = '127.0.0.1:1'; // a port that nothing listens on
const ENVIRONMENT = {
  HOST: '127.0.0.1',
  PORT: '0',
  AWS_REGION: 'us-east-1',
  AWS_ENDPOINT_URL: `http://${NOBODY}`,
  AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://${NOBODY}`,
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  BUCKET_NAME: 'bucket',
  CACHE_HOST: '127.0.0.1',
  CACHE_PORT: '1',
  CACHE_TOKEN_SECRET_ARN: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:token',
  DATABASE_HOST: '127.0.0.1',
  DATABASE_NAME: 'guestbook',
  DATABASE_PORT: '1',
  DATABASE_USER: 'guestbook',
  KAFKA_CLUSTER_ARN: 'arn:aws:kafka:us-east-1:000000000000:cluster/c/1',
  KAFKA_TOPIC: 'entries',
  TABLE_NAME: 'table',
};

function start(test, environment) {
  const program = spawn(process.execPath, [MAIN], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  test.after(() => program.kill('SIGKILL'));
  let errors = '';
  program.stderr.on('data', (piece) => (errors += piece));
  return {
    program,
    lines: createInterface({ input: program.stdout }),
    exited: once(program, 'exit'),
    errors: () => errors,
  };
}

test('without settings it says in one line what is missing, and exits', { timeout: 10_000 }, async (t) => {
  const { exited, errors } = start(t, {});
  assert.deepEqual(await exited, [2, null]);
  assert.match(errors(), /^aws_foundations: set AWS_REGION, BUCKET_NAME, .*\n$/);
});

test(
  'it serves before any store is there, tells which are missing, and stops in order',
  { timeout: 20_000 },
  async (t) => {
    const { program, lines, exited, errors } = start(t, ENVIRONMENT);
    const [serving] = await once(lines, 'line');
    const { message, port } = JSON.parse(serving);
    assert.equal(message, 'serving');
    const rest = [];
    lines.on('line', (line) => rest.push(JSON.parse(line)));

    const call = (path, options) => fetch(`http://127.0.0.1:${port}${path}`, options);
    assert.equal((await call('/health')).status, 200);
    const ready = await call('/ready');
    assert.deepEqual(
      [ready.status, await ready.json()],
      [
        503,
        {
          ready: false,
          stores: { database: false, table: false, bucket: false, topic: false, cache: false },
        },
      ],
    );
    const body = JSON.stringify({ author: 'ann', text: 'hello' });
    const cut = await call('/entries', {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    assert.deepEqual([cut.status, (await cut.json()).stored.row], [503, false]);

    program.kill('SIGTERM');
    assert.deepEqual(await exited, [0, null]);
    assert.equal(rest.at(-1).message, 'stopped');
    assert.equal(errors(), '', 'all it says are JSON lines');
  },
);
