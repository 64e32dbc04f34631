import { readFileSync } from 'node:fs'

/** Reads `test/vectors/NAME.json`. Tests run compiled, from dist/test, hence the way up. */
export function readVectors(name: string) {
  return JSON.parse(readFileSync(new URL(`../../../../test/vectors/${name}.json`, import.meta.url), 'utf8'))
}
