/** The source of truth: one row an entry, in PostgreSQL on RDS, by IAM authentication over verified TLS. */
import { Signer } from '@aws-sdk/rds-signer';
import pg from 'pg';
import { once } from '../bounds.js';

const ANY_NUMBER_BUT_OURS = 7_305_112; // of the advisory lock
const TABLE = `
  CREATE TABLE IF NOT EXISTS entries (
    id uuid PRIMARY KEY,
    author text NOT NULL,
    at timestamptz NOT NULL,
    text text NOT NULL,
    record_partition integer,
    record_offset bigint
  )`;
const COLUMNS = 'id, author, at, text, record_partition, record_offset';

export function openDatabase({ region, database: { host, port, name, user, ca } }, log) {
  const signer = new Signer({ region, hostname: host, port, username: user });
  const pool = new pg.Pool({
    host,
    port,
    database: name,
    user,
    password: () => signer.getAuthToken(), // asked for every new connection: it is valid for 15 minutes
    ssl: { ca, rejectUnauthorized: true },
    max: 10,
    connectionTimeoutMillis: 2_000,
    query_timeout: 2_000,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    application_name: 'guestbook',
  });
  // An idle connection that the server ends is replaced; without a listener it would end the process.
  pool.on('error', (error) => log.warn('a database connection was lost', { code: error.code }));

  const prepare = once(async () => {
    const client = await pool.connect();
    try {
      // Two instances that start together would both find no table, and one of them fail: they take turns.
      await client.query('BEGIN');
      await client.query('SELECT pg_advisory_xact_lock($1)', [ANY_NUMBER_BUT_OURS]);
      await client.query(TABLE);
      await client.query('COMMIT');
      client.release();
    } catch (error) {
      client.release(true); // closed: the transaction ends with it
      throw error;
    }
  });

  async function query(text, values) {
    await prepare();
    return (await pool.query(text, values)).rows;
  }

  return {
    prepare,

    async insert({ id, author, at, text }) {
      const [inserted] = await query(
        `INSERT INTO entries (id, author, at, text) VALUES ($1, $2, $3, $4)
         ON CONFLICT (id) DO NOTHING RETURNING ${COLUMNS}`,
        [id, author, at, text],
      );
      const found = inserted ? fromRow(inserted) : await this.find(id);
      return { ...found, inserted: inserted !== undefined };
    },

    async noteRecord(id, { partition, offset }) {
      const [row] = await query(
        // Of two requests that sent the same entry, the first to get here is the one that is remembered.
        `UPDATE entries SET record_partition = COALESCE(record_partition, $2),
                            record_offset = COALESCE(record_offset, $3)
         WHERE id = $1 RETURNING ${COLUMNS}`,
        [id, partition, offset],
      );
      return fromRow(row).record;
    },

    async find(id) {
      const [row] = await query(`SELECT ${COLUMNS} FROM entries WHERE id = $1`, [id]);
      return row && fromRow(row);
    },

    async check() {
      await query('SELECT 1');
    },

    async close() {
      await pool.end();
    },
  };
}

function fromRow({ id, author, at, text, record_partition: partition, record_offset: offset }) {
  const record = offset === null ? null : { partition, offset: Number(offset) };
  return { entry: { id, author, at: at.toISOString(), text }, record };
}
