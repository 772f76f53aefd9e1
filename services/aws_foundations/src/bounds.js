/** Every wait has a bound: on one try, on how many there are, and on how long a start is tried. */
import { setTimeout as pause } from 'node:timers/promises';

/** What `work()` resolves to, or an Error when that takes longer than `milliseconds`. */
export async function within(milliseconds, work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * What `work()` resolves to at the first of `tries` that succeeds, or the last one's error.
 * Each try has `each` ms; between them is a random pause ("full jitter"), so that clients do not come back
 * in step.
 */
export async function withRetries(work, { tries = 3, each = 2_000, firstPause = 100 } = {}) {
  for (let failed = 0; ;) {
    try {
      return await within(each, work);
    } catch (error) {
      failed += 1;
      if (failed === tries) throw error;
      await pause(Math.random() * firstPause * 2 ** failed);
    }
  }
}

/** A function that runs `work` once and remembers its success. After a failure the next call tries again. */
export function once(work) {
  let result;
  return () => {
    result ??= Promise.resolve()
      .then(work)
      .catch((error) => {
        result = undefined;
        throw error;
      });
    return result;
  };
}

/** Try `work` until it succeeds, or until `signal` is aborted. `failed(error)` is told of each failure. */
export async function untilItSucceeds(work, { signal, failed, firstPause = 200, longestPause = 5_000 }) {
  for (let wait = firstPause; !signal.aborted; wait = Math.min(wait * 2, longestPause)) {
    try {
      return await work();
    } catch (error) {
      if (!signal.aborted) failed(error);
      await pause(wait, undefined, { signal, ref: false }).catch(() => {});
    }
  }
}
