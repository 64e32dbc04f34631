import { LRUCache } from 'lru-cache'

/**
 * LRU cache that allocates as it grows. The `max` option of lru-cache allocates all entries at once, which takes most of
 * the start-up time of a small server.
 */
export const lruCache = <K extends {}, V extends {}>(
  maxEntries: number,
  options: Partial<LRUCache.OptionsTTLLimit<K, V, unknown>> = {},
): LRUCache<K, V> => new LRUCache<K, V>({ ...options, maxSize: maxEntries, sizeCalculation: () => 1 })
