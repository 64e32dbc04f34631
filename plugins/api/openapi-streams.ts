export const STREAM_PATHS = {}
