/** The program: settings → stores → server, and an end in order on SIGTERM. */
import { untilItSucceeds } from './bounds.js';
import { Guestbook } from './guestbook.js';
import { described, logTo } from './log.js';
import { guestbookServer } from './server.js';
import { readSettings } from './settings.js';
import { openBucket } from './stores/bucket.js';
import { openCache } from './stores/cache.js';
import { openDatabase } from './stores/database.js';
import { openTable } from './stores/table.js';
import { openTopic } from './stores/topic.js';
import { locator } from './where.js';

const FINISH_MS = 20_000; // longer than a hanging store holds a request, shorter than orchestrators wait
const CLOSE_MS = 3_000;

const log = logTo(process.stdout);
// Node.js writes its warnings as plain text; here they are lines like all others.
process
  .removeAllListeners('warning')
  .on('warning', (warning) => log.warn('a warning of Node.js', described(warning)));

function settingsOrExit() {
  try {
    return readSettings(process.env);
  } catch (error) {
    process.stderr.write(`aws_foundations: ${error.message}\n`);
    return process.exit(2);
  }
}

const settings = settingsOrExit();
const stores = {
  database: openDatabase(settings, log),
  table: openTable(settings),
  bucket: openBucket(settings),
  topic: openTopic(settings, log),
  cache: openCache(settings, log),
};
const guestbook = new Guestbook(stores, { log });
const { server, drain } = guestbookServer({ guestbook, where: locator(settings), log });

// The service serves before its stores are up, and needs no order of start: it tries until they are there.
const stopping = new AbortController();
for (const [store, { prepare }] of Object.entries(stores)) {
  if (!prepare) continue;
  untilItSucceeds(prepare, {
    signal: stopping.signal,
    failed: (error) => log.warn('a store is not ready yet', { store, ...described(error) }),
  });
}

server.listen(settings.port, settings.host, () => log.info('serving', { port: server.address().port }));
server.on('error', (error) => {
  process.stderr.write(
    `aws_foundations: cannot listen on ${settings.host}:${settings.port} (${error.code})\n`,
  );
  process.exit(1);
});

async function stop(signal) {
  if (stopping.signal.aborted) return;
  stopping.abort();
  log.info('draining', { signal });
  await drain({ delayMs: settings.drainSeconds * 1_000, boundMs: FINISH_MS });
  const forced = setTimeout(() => process.exit(0), CLOSE_MS); // a store that hangs must not keep the process
  await Promise.allSettled(Object.values(stores).map((store) => store.close()));
  clearTimeout(forced);
  log.info('stopped');
  process.exit(0);
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
