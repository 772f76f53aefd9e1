/** What an entry is: its id, and what is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entryId, isId, LIMITS, parseAuthor, parseEntry, parseKey, parseListing } from '../src/entries.js';
import { Problem } from '../src/problem.js';

const bytes = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const refused = (work) => assert.throws(work, (error) => error instanceof Problem && error.status === 400);

test('an id is the same for the same author and key, and another for another', () => {
  const ids = [
    entryId('ann', 'k'),
    entryId('bob', 'k'),
    entryId('ann', 'l'),
    entryId('an', 'nk'),
    entryId('a","b', 'c'),
  ];
  assert.equal(entryId('ann', 'k'), ids[0]);
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(ids.every(isId), 'each is a UUID of version 8');
});

const GOOD = [
  { author: 'ann', text: 'hello' },
  { author: 'Зоя 👩‍🚀', text: 'two\nlines\tand\r\nmore' },
  { author: 'x'.repeat(LIMITS.author), text: '👋'.repeat(3_000) },
  { author: "'; DROP TABLE entries; --", text: '${jndi:x} <script> \\u0000 as text' },
];
for (const [number, entry] of GOOD.entries()) {
  test(`an entry that can be kept is taken as it is (${number})`, () => {
    assert.deepEqual(parseEntry(bytes(entry)), entry);
  });
}

const BAD = {
  nothing: '',
  'not JSON': '{"author":',
  'not UTF-8': Buffer.from([0x7b, 0xff, 0x7d]),
  'deeper than a stack': '['.repeat(16_000),
  null: 'null',
  'a list': '[]',
  'a string': '"ann"',
  'an unknown member': { author: 'ann', text: 'hello', admin: true },
  'a prototype': '{"author":"ann","text":"hello","__proto__":{}}',
  'no author': { text: 'hello' },
  'no text': { author: 'ann' },
  'an author that is a number': { author: 1, text: 'hello' },
  'an author that is an object': { author: { toString: 1 }, text: 'hello' },
  'an empty author': { author: '', text: 'hello' },
  'an author of spaces': { author: '  ', text: 'hello' },
  'an author with a space at its end': { author: 'ann ', text: 'hello' },
  'an author that is too long': { author: 'x'.repeat(LIMITS.author + 1), text: 'hello' },
  'an author of two lines': { author: 'a\nb', text: 'hello' },
  'a NUL': { author: 'ann', text: 'a\u0000b' },
  'an escape': { author: 'ann', text: '\u001b[31m' },
  'half a character': '{"author":"ann","text":"\\ud800"}',
  'a text that is too long': { author: 'ann', text: 'x'.repeat(LIMITS.text + 1) },
  'an empty text': { author: 'ann', text: '' },
};
for (const [what, body] of Object.entries(BAD)) {
  test(`${what} is refused as an entry`, () => {
    refused(() => parseEntry(body instanceof Uint8Array ? body : bytes(body)));
  });
}

test('one name is one author, however its accents were typed', () => {
  assert.equal(parseAuthor('Zoe\u0308'), parseAuthor('Zo\u00eb'));
});

test('a key is short and visible', () => {
  assert.equal(parseKey('9f-{x}'), '9f-{x}');
  for (const key of ['', 'two words', 'é', 'x'.repeat(LIMITS.key + 1)]) refused(() => parseKey(key));
});

test('a listing names one author and a limit', () => {
  const listing = (query) => parseListing(new URLSearchParams(query));
  assert.deepEqual(listing('author=ann'), { author: 'ann', limit: 20 });
  assert.deepEqual(listing('author=ann&limit=100'), { author: 'ann', limit: 100 });
  for (const query of [
    '',
    'author=',
    'author=a&author=b',
    'author=a&limit=0',
    'author=a&limit=101',
    'author=a&limit=1e1',
  ]) {
    refused(() => listing(query));
  }
});
