/** What all SDK clients share. They find endpoint (AWS_ENDPOINT_URL) and credentials by themselves. */

export function clientOptions(region) {
  return {
    region,
    maxAttempts: 1, // tries are counted in one place, ../bounds.js
    requestHandler: { connectionTimeout: 1_000, requestTimeout: 2_000, throwOnRequestTimeout: true },
  };
}
