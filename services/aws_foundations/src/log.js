/** One JSON line an event: {level, at, message, …fields}. No bodies and no secrets are ever given to it. */

export function logTo(stream, now = () => new Date()) {
  const at =
    (level) =>
    (message, fields = {}) =>
      stream.write(`${JSON.stringify({ level, at: now().toISOString(), message, ...fields })}\n`);
  return { info: at('info'), warn: at('warn'), error: at('error') };
}

/** What of an error is worth a line. Some libraries wrap several attempts in one error without a message. */
export function described(error) {
  const inner = error.errors?.[0] ?? error.cause;
  return {
    error: error.name,
    code: error.code ?? inner?.code,
    reason: (error.message || inner?.message || '').slice(0, 300),
  };
}
