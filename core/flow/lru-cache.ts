import { LRUCache } from 'lru-cache'

/**
 * A cache of the `most` entries that were used last. It grows with what is in it: the `max` of lru-cache takes the memory
 * of all entries at once, which is most of the time that a small server needs to start.
 */
export const lruCache = <K extends {}, V extends {}>(
  most: number,
  options: Partial<LRUCache.OptionsTTLLimit<K, V, unknown>> = {},
): LRUCache<K, V> => new LRUCache<K, V>({ ...options, maxSize: most, sizeCalculation: () => 1 })
