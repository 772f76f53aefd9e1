/** What an entry of the guestbook is, and which ones are refused. Pure: no store, no clock, no network. */
import { createHash } from 'node:crypto';
import { Problem } from './problem.js';

export const LIMITS = Object.freeze({ bodyBytes: 16 * 1024, author: 64, text: 4_000, key: 128, listed: 100 });
const LISTED_BY_DEFAULT = 20;
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const CONTROL = /\p{Cc}/u;
const CONTROL_BUT_LINES = /[^\P{Cc}\t\n\r]/u;

/** {author, text} from the bytes of a request's body. Throws a Problem (400) that says what is wrong. */
export function parseEntry(bytes) {
  let body;
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new Problem(400, 'the body must be JSON in UTF-8');
  }
  if (body === null || typeof body !== 'object' || Array.isArray(body)) {
    throw new Problem(400, 'the body must be an object: {"author": "…", "text": "…"}');
  }
  const unknown = Object.keys(body).find((name) => name !== 'author' && name !== 'text');
  if (unknown !== undefined) throw new Problem(400, 'the body may have author and text, and nothing else');
  return { author: parseAuthor(body.author), text: parseText(body.text) };
}

/** An author in Unicode's composed form, so that the same name is the same author from every keyboard. */
export function parseAuthor(value) {
  const author = readable('author', value, LIMITS.author, CONTROL).normalize('NFC');
  if (author !== author.trim()) throw new Problem(400, 'author must not begin or end with a space');
  return author;
}

function parseText(value) {
  return readable('text', value, LIMITS.text, CONTROL_BUT_LINES);
}

function readable(name, value, most, control) {
  if (typeof value !== 'string') throw new Problem(400, `${name} must be a string`);
  if (value.trim() === '') throw new Problem(400, `${name} must not be empty`);
  if ([...value].length > most) throw new Problem(400, `${name} must have at most ${most} characters`);
  // Half a character, or a NUL: no store could keep it, and each would fail in a way of its own.
  if (!value.isWellFormed()) throw new Problem(400, `${name} holds half a character (a lone surrogate)`);
  if (control.test(value)) throw new Problem(400, `${name} holds a control character`);
  return value;
}

export function parseKey(value) {
  if (value.length > LIMITS.key || !/^[\x21-\x7e]+$/.test(value)) {
    throw new Problem(400, `Idempotency-Key must be 1 to ${LIMITS.key} visible ASCII characters`);
  }
  return value;
}

/** {author, limit} from the query of a list. */
export function parseListing(query) {
  const [limit = String(LISTED_BY_DEFAULT), ...more] = query.getAll('limit');
  if (more.length > 0 || !/^[1-9]\d{0,2}$/.test(limit) || Number(limit) > LIMITS.listed) {
    throw new Problem(400, `limit must be a whole number from 1 to ${LIMITS.listed}`);
  }
  const authors = query.getAll('author');
  if (authors.length !== 1) throw new Problem(400, 'name one author: ?author=…');
  return { author: parseAuthor(authors[0]), limit: Number(limit) };
}

export const isId = (value) => ID.test(value);

/**
 * The id of what `author` sends under `key`: the same for every retry, another one for every other author.
 * A UUID of version 8 (RFC 9562): like version 5 made from a name, with SHA-256 in place of SHA-1.
 */
export function entryId(author, key) {
  const digest = createHash('sha256')
    .update(JSON.stringify([author, key]))
    .digest()
    .subarray(0, 16);
  digest[6] = 0x80 | (digest[6] & 0x0f);
  digest[8] = 0x80 | (digest[8] & 0x3f);
  return digest.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
