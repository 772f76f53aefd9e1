/** What the environment says. README.md has the table of it. */
import { existsSync, readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';

const REQUIRED = [
  'AWS_REGION',
  'BUCKET_NAME',
  'CACHE_HOST',
  'CACHE_PORT',
  'CACHE_TOKEN_SECRET_ARN',
  'DATABASE_HOST',
  'DATABASE_NAME',
  'DATABASE_PORT',
  'DATABASE_USER',
  'KAFKA_CLUSTER_ARN',
  'KAFKA_TOPIC',
  'TABLE_NAME',
];
const CA_FILE_OF_THE_IMAGE = '/etc/ssl/rds.pem'; // the Dockerfile puts it there

/** The settings, frozen. Throws one Error that names all that is wrong. */
export function readSettings(environment) {
  const missing = REQUIRED.filter((name) => !environment[name]);
  const wrong = missing.length > 0 ? [`set ${missing.join(', ')}`] : [];

  function whole(name, fallback, lowest, highest) {
    const given = environment[name] || String(fallback);
    const value = /^\d{1,9}$/.test(given) ? Number(given) : NaN;
    if (value >= lowest && value <= highest) return value;
    wrong.push(`${name} must be a whole number from ${lowest} to ${highest}, not "${given}"`);
    return undefined;
  }

  function databaseCa() {
    const file =
      environment.DATABASE_CA_FILE || (existsSync(CA_FILE_OF_THE_IMAGE) ? CA_FILE_OF_THE_IMAGE : '');
    try {
      // An RDS Proxy has a certificate of Amazon's public authority, a database one of RDS's own (RDS User
      // Guide, "Using TLS/SSL with RDS Proxy"). Undefined is what Node.js trusts by itself.
      return file ? [...rootCertificates, readFileSync(file, 'utf8')] : undefined;
    } catch (error) {
      wrong.push(`DATABASE_CA_FILE cannot be read: ${error.message}`);
      return undefined;
    }
  }

  const settings = {
    host: environment.HOST || '0.0.0.0',
    port: whole('PORT', 8080, 0, 65_535),
    drainSeconds: whole('DRAIN_SECONDS', 0, 0, 300),
    region: environment.AWS_REGION,
    // Another endpoint has no wildcard names such as <bucket>.s3.…: there the bucket goes into the path.
    bucketInPath: Boolean(environment.AWS_ENDPOINT_URL || environment.AWS_ENDPOINT_URL_S3),
    database: {
      host: environment.DATABASE_HOST,
      port: whole('DATABASE_PORT', 5432, 1, 65_535),
      name: environment.DATABASE_NAME,
      user: environment.DATABASE_USER,
      ca: databaseCa(),
    },
    table: environment.TABLE_NAME,
    bucket: environment.BUCKET_NAME,
    kafka: {
      cluster: environment.KAFKA_CLUSTER_ARN,
      topic: environment.KAFKA_TOPIC,
      replication: whole('KAFKA_REPLICATION', 3, 1, 15),
      partitions: whole('KAFKA_PARTITIONS', 6, 1, 10_000),
    },
    cache: {
      host: environment.CACHE_HOST,
      port: whole('CACHE_PORT', 6379, 1, 65_535),
      token: environment.CACHE_TOKEN_SECRET_ARN,
    },
    metadata: environment.AWS_EC2_METADATA_SERVICE_ENDPOINT || 'http://169.254.169.254',
    zone: environment.NODE_ZONE,
    instance: environment.POD_NAME,
  };
  if (wrong.length > 0) throw new Error(`${wrong.join('; ')}. README.md says what each is`);
  return Object.freeze(settings);
}
