/** One object an entry, in S3: entries/<id>.json. */
import {
  GetObjectCommand,
  HeadBucketCommand,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { clientOptions } from './clients.js';

export function openBucket({ region, bucket, bucketInPath }) {
  const client = new S3Client({ ...clientOptions(region), forcePathStyle: bucketInPath });
  const keyOf = (id) => `entries/${id}.json`;

  return {
    async put(entry) {
      const command = new PutObjectCommand({
        Bucket: bucket,
        Key: keyOf(entry.id),
        Body: JSON.stringify(entry),
        ContentType: 'application/json',
        IfNoneMatch: '*', // a replay makes no second version
      });
      try {
        await client.send(command);
      } catch (error) {
        if (error.name !== 'PreconditionFailed') throw error;
      }
    },

    async find(id) {
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: keyOf(id) }));
        return JSON.parse(await Body.transformToString());
      } catch (error) {
        if (error instanceof NoSuchKey) return null; // without s3:ListBucket S3 would answer 403
        throw error;
      }
    },

    async check() {
      await client.send(new HeadBucketCommand({ Bucket: bucket }));
    },

    async close() {
      client.destroy();
    },
  };
}
