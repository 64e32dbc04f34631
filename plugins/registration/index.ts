import { randomBytes } from 'node:crypto'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { z } from 'zod'
import { definePlugin, Refused, type Session } from '../../core/index.ts'
import {
  DEFAULT_ITERATIONS,
  joinSalt,
  MAX_ITERATIONS,
  MIN_ITERATIONS,
  PRE_HASHES,
  type PreHash,
  SALT_HALF_LENGTH,
  type Verifier,
} from '../../core/scram/index.ts'
import { accounts } from '../accounts/index.ts'
import { verifierFrom } from '../accounts/verifier.ts'
import { FAILURES } from './failures.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'

const { NewSalt, Register } = messages

/** New accounts, and the salt that both ends make for any new password. */
export const registration = definePlugin({
  name: 'registration',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { accounts },
  options: z.strictObject({
    /** Whether strangers may make accounts; operators always may. */
    open: z.boolean().default(true),
    iterations: z.number().int().min(MIN_ITERATIONS).max(MAX_ITERATIONS).default(DEFAULT_ITERATIONS),
    /** How clients hash a new password before they derive keys from it; `md5x10` lets clients of the original in too. */
    preHash: z.enum(PRE_HASHES).default(''),
    /** Characters that a new password has at least. Clients check it: the server sees no passwords. */
    minPassword: z.number().int().min(1).max(256).default(8),
  }),
  setup(app, { options, needs, limits }) {
    const salts = new WeakMap<Session, Buffer>()
    /** Sessions whose next registration has been counted. */
    const reserved = new WeakSet<Session>()
    const rate = new RateLimiterMemory({ points: limits.registrations, duration: 3600 })

    /**
     * The verifier of new keys, for the salt this session asked for, which it uses up.
     * @throws Refused `no_salt`
     */
    const verifierFor = (
      session: Session,
      keys: { storedKey: Uint8Array; serverKey: Uint8Array; preHash: PreHash },
    ): Verifier => {
      const salt = salts.get(session)
      if (salt === undefined) throw new Refused(FAILURES.no_salt)
      salts.delete(session)
      return verifierFrom({ ...keys, salt, iterations: options.iterations })
    }

    /** The salt was not used after all: it may be tried again. */
    const giveBack = (session: Session, { salt }: Verifier) => salts.set(session, salt)

    app.handle(NewSalt, (session, { clientSalt }) => {
      const salt = joinSalt(clientSalt, randomBytes(16))
      salts.set(session, salt)
      const { iterations, preHash, minPassword } = options
      return { salt, iterations, preHash, minPassword }
    })

    const takeFromRate = async (session: Session) => {
      if (!options.open) throw new Refused(FAILURES.registration_closed)
      await rate.consume(session.network).catch((result: { msBeforeNext: number }) => {
        throw new Refused('rate_limited', 'too many registrations from this address', {
          retryAfter: result.msBeforeNext,
        })
      })
    }

    app.handle(Register, async (session, { user, nickname, ...keys }) => {
      if (!options.open) throw new Refused(FAILURES.registration_closed)
      const verifier = verifierFor(session, keys)
      if (!reserved.delete(session)) await takeFromRate(session)
      const account = await needs.accounts.create({ name: user, nickname, role: 'user', verifier }).catch((error) => {
        giveBack(session, verifier)
        throw error
      })
      return { id: account.id, user: account.name }
    })

    /**
     * Counts a registration of this session against the limit of its address, before there is any work for it: the
     * `register` that follows is not counted again.
     * @throws Refused `registration_closed`, `rate_limited`, `invalid_name`, `username_taken`
     */
    const reserve = async (session: Session, names: { readonly name: string; readonly nickname: string }) => {
      await takeFromRate(session)
      await needs.accounts.checkNew(names)
      reserved.add(session)
    }

    const { iterations, preHash } = options
    return { verifierFor, reserve, shape: { iterations, preHash, saltLength: 2 * SALT_HALF_LENGTH } }
  },
})
