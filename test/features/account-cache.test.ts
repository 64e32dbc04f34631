import test from 'ava'
import type { Knex } from 'knex'
import { definePlugin } from '../../core/index.ts'
import { type Account, SYSTEM } from '../../plugins/accounts/account.ts'
import { AccountCache } from '../../plugins/accounts/account-cache.ts'
import { accounts } from '../../plugins/index.ts'
import { testServer } from '../../testing/index.ts'

const bob: Account = { ...SYSTEM, id: 2, name: 'bob', nickname: 'Bob', role: 'user', active: true }
const disabledBob: Account = { ...bob, active: false }

/** A cache on a database of which each read is answered by hand, in the order of the reads. */
function cacheByHand() {
  const reads: { readonly name: string; answer(account: Account | undefined): void; fail(error: Error): void }[] = []
  const cache = new AccountCache((name) => new Promise((answer, fail) => reads.push({ name, answer, fail })))
  return { cache, reads }
}

test('look-ups of one name share a read, and later ones get the cached account synchronously', async (t) => {
  const { cache, reads } = cacheByHand()
  const [first, second] = [cache.named('bob'), cache.named('bob')]
  t.is(first, second)
  reads[0]?.answer(bob)
  t.is(await first, bob)
  t.is(cache.named('bob'), bob)
  t.is(cache.byId(2), bob)
  t.is(reads.length, 1)
})

test('a name in another spelling finds the cached account', async (t) => {
  const { cache, reads } = cacheByHand()
  const found = cache.named('BOB')
  reads[0]?.answer(bob)
  await found
  t.is(cache.named('BOB'), bob)
  t.is(cache.named('bob'), bob)
  t.is(reads.length, 1)
})

test('names without an account and the system’s account are read each time', async (t) => {
  const { cache, reads } = cacheByHand()
  const nobody = cache.named('nobody')
  reads[0]?.answer(undefined)
  t.is(await nobody, undefined)
  const system = cache.named('system')
  reads[1]?.answer(SYSTEM)
  t.is(await system, SYSTEM)
  void cache.named('nobody')
  void cache.named('system')
  t.deepEqual(
    reads.map(({ name }) => name),
    ['nobody', 'system', 'nobody', 'system'],
  )
})

test('a read that began before a change is neither cached nor shared with later look-ups', async (t) => {
  const { cache, reads } = cacheByHand()
  const before = cache.named('bob')
  cache.changed({ topic: 'user', subject: bob.id })
  const after = cache.named('bob')
  reads[0]?.answer(bob)
  t.is(await before, bob)
  t.is(cache.byId(2), undefined)
  t.is(cache.named('bob'), after)
  reads[1]?.answer(disabledBob)
  t.is(await after, disabledBob)
  t.is(cache.named('bob'), disabledBob)
})

test('accounts of a list that was read before a change are not cached', (t) => {
  const { cache } = cacheByHand()
  const { version } = cache
  cache.changed({ topic: 'user', subject: bob.id })
  t.is(cache.put(bob, version), bob)
  t.is(cache.byId(2), undefined)
  cache.put(disabledBob, cache.version)
  t.is(cache.byId(2), disabledBob)
})

test('a look-up after an insert does not share a read from before it', async (t) => {
  const { cache, reads } = cacheByHand()
  const before = cache.named('bob')
  cache.changed({ topic: 'user', subject: bob.id })
  const after = cache.named('bob')
  reads[0]?.answer(undefined)
  reads[1]?.answer(bob)
  t.is(await before, undefined)
  t.is(await after, bob)
})

test('a change of an account that was looked up by id only is followed too', (t) => {
  const { cache } = cacheByHand()
  cache.put(bob, cache.version)
  cache.changed({ topic: 'user', subject: bob.id })
  t.is(cache.byId(bob.id), undefined)
  t.true(cache.named('bob') instanceof Promise)
})

test('after changes that could not be read nothing is taken from the cache', (t) => {
  const { cache } = cacheByHand()
  cache.put(bob, cache.version)
  const { version } = cache
  cache.missed()
  t.is(cache.byId(bob.id), undefined)
  cache.put(bob, version)
  t.is(cache.byId(bob.id), undefined)
})

test('a failed read rejects its callers and is not cached', async (t) => {
  const { cache, reads } = cacheByHand()
  const failed = cache.named('bob')
  reads[0]?.fail(new Error('gone'))
  await t.throwsAsync(Promise.resolve(failed), { message: 'gone' })
  const again = cache.named('bob')
  reads[1]?.answer(bob)
  t.is(await again, bob)
})

test('an account whose change was stored although it failed is read again', async (t) => {
  let disable: () => Promise<void> = () => Promise.reject(new Error('not started'))
  let isActive: () => Promise<boolean | undefined> = () => Promise.reject(new Error('not started'))
  const probe = definePlugin({
    name: 'probe',
    needs: { accounts },
    setup(_app, { needs, db }) {
      isActive = async () => (await needs.accounts.find('bob'))?.active
      disable = () => {
        loseNextReply(db)
        return needs.accounts.setActive('bob', false)
      }
    },
  })
  await using server = await testServer({ plugins: [probe] })
  await server.user('bob')
  t.true(await isActive())
  await t.throwsAsync(disable(), { message: 'connection lost' })
  t.false(await isActive())
})

/** Fails the next transaction after its commit, as when a connection is lost before the reply. */
function loseNextReply(db: Knex) {
  const transaction = db.transaction.bind(db)
  Object.defineProperty(db, 'transaction', {
    configurable: true,
    value: async (work: (trx: Knex.Transaction) => Promise<unknown>) => {
      Object.defineProperty(db, 'transaction', { configurable: true, value: transaction })
      await transaction(work)
      throw new Error('connection lost')
    },
  })
}
