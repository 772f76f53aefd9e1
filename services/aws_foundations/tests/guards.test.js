/** A guard that no test misses guards nothing: each is taken out of the source, to see its test go red. */
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as promise from './promise.js';

const SOURCE = fileURLToPath(new URL('../src', import.meta.url));
const FILE = 'guestbook.js';

const GUARDS = [
  {
    guard: 'a key stands for one text',
    check: promise.aKeyIsOneText,
    from: 'entry.text !== text',
    to: 'false',
  },
  {
    guard: 'what is noted is not sent',
    check: promise.aRepeatSendsNoSecondRecord,
    from: 'if (record)',
    to: 'if (false)',
  },
  {
    guard: 'the id comes from the key',
    check: promise.aKeyIsOneEntryAlsoAtOnce,
    from: 'entryId(author, key)',
    to: 'crypto.randomUUID()',
  },
  {
    guard: 'the first time stays',
    check: promise.aRetryCompletesTheFirst,
    from: 'table.put(entry)',
    to: 'table.put(wanted)',
  },
];

for (const { guard, check, from, to } of GUARDS) {
  test(`without its guard, "${guard}" is seen to break`, async (context) => {
    const folder = await mkdtemp(join(tmpdir(), 'guestbook-'));
    context.after(() => rm(folder, { recursive: true }));
    await cp(SOURCE, folder, { recursive: true });
    await writeFile(join(folder, 'package.json'), '{"type": "module"}');
    const whole = await readFile(join(folder, FILE), 'utf8');
    assert.equal(whole.split(from).length, 2, `${FILE} has "${from}" once`);
    await writeFile(join(folder, FILE), whole.replace(from, to));
    const { Guestbook } = await import(pathToFileURL(join(folder, FILE)));
    await assert.rejects(check(Guestbook), { name: 'AssertionError' });
  });
}
