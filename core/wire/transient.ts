const TRANSIENT_FAILURES = ['unavailable', 'rate_limited', 'internal', 'shutting_down']

/** Whether a failure, by name, is of the server's circumstances, not of the request: the same request may succeed later. */
export const isTransientFailure = (failure: string): boolean => TRANSIENT_FAILURES.includes(failure)
