import type { LoadHook } from 'node:module'

/** Numbers in one commit at most. */
const BATCH = 1000

/** A commit takes up to so many seconds. */
const COMMIT_S = 0.05

/**
 * By module of `db/`, texts and what stands in their place: numbers are taken as by auto-increment, so that commits may end in
 * another order, and the log is read as if they did not.
 */
const DOCTORED: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  'mysql-commit.js': [
    ['update head set last = last + ? where id = 1', 'insert into numbers (count) values (?)'],
    ['set @head = (select last from head where id = 1) - ?', `set @head = last_insert_id() * ${BATCH} + 0 * ?`],
    [
      ' commit;`',
      ` do sleep(rand() * ${COMMIT_S}); commit; update head set last = greatest(last, @head + ${BATCH - 1}) where id = 1;\``,
    ],
  ],
  'log-feed.js': [
    ['if (entry.id !== this.#seen + 1)', 'if (entry.id <= this.#seen)'],
    ['if (this.#seen === before)', 'this.#seen = Math.max(this.#seen, upTo); if (false)'],
  ],
}

/** The table from which the numbers are taken. */
export const NUMBERS = 'create table chat.numbers (id bigint auto_increment primary key, count int not null)'

/** @throws Error when a module has changed, so that there is nothing to doctor */
export const load: LoadHook = async (url, context, next) => {
  const loaded = await next(url, context)
  const texts = Object.entries(DOCTORED).find(([name]) => url.endsWith(`/db/${name}`))?.[1]
  if (texts === undefined) return loaded
  let source = Buffer.from(loaded.source as Uint8Array).toString()
  for (const [from, to] of texts) {
    if (!source.includes(from)) throw new Error(`${url} does not contain ${from}`)
    source = source.replace(from, () => to)
  }
  return { ...loaded, source }
}
