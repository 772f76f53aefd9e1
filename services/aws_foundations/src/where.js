/** Which zone and instance this process runs in: by it a client sees that another zone took over. */
import { once } from './bounds.js';

const TIMEOUT_MS = 1_000; // on a pod behind a hop limit of 1 nobody answers

/** A function that resolves to {zone, instance}. The metadata service (IMDSv2) is asked once. */
export function locator({ metadata, zone, instance }, fetch = globalThis.fetch) {
  return once(async () => {
    const found = await ask(metadata, fetch).catch(() => ({}));
    return { zone: found.zone ?? zone ?? 'unknown', instance: instance ?? found.instance ?? 'unknown' };
  });
}

async function ask(metadata, fetch) {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const text = async (path, options) => {
    const answer = await fetch(`${metadata.replace(/\/$/, '')}/latest/${path}`, { signal, ...options });
    if (!answer.ok) throw new Error(`the metadata service answered ${answer.status}`);
    return answer.text();
  };
  const token = await text('api/token', {
    method: 'PUT',
    headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '60' },
  });
  const headers = { 'x-aws-ec2-metadata-token': token };
  const [zone, instance] = await Promise.all([
    text('meta-data/placement/availability-zone', { headers }),
    text('meta-data/instance-id', { headers }),
  ]);
  return { zone, instance };
}
