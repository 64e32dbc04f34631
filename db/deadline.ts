/** The error of a statement without an answer in time; mysql2 uses the same code. Its outcome is unknown. */
export const deadlineError = (ms: number) =>
  Object.assign(new Error(`the database did not answer within ${ms} ms`), {
    code: 'PROTOCOL_SEQUENCE_TIMEOUT',
    fatal: true,
  })

/**
 * Rejects when there is no answer in time. mysql2 never answers the statements of a destroyed connection, and its own
 * timeout begins at a statement's turn.
 * @param expire destroys the connection, on which a late answer may still arrive
 */
export function withDeadline<T>(answer: Promise<T>, ms: number, expire: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(deadlineError(ms))
      expire()
    }, ms)
    answer.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
