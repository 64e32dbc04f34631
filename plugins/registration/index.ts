import { z } from 'zod'
import { definePlugin, Refused, type Session } from '../../core/index.ts'
import {
  DEFAULT_ITERATIONS,
  MAX_ITERATIONS,
  MIN_ITERATIONS,
  PRE_HASHES,
  SALT_HALF_LENGTH,
} from '../../core/scram/index.ts'
import { accounts } from '../accounts/index.ts'
import { FAILURES } from './failures.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'
import { RegistrationRate } from './registration-rate.ts'
import { type Keys, Salts } from './salts.ts'

const { NewSalt, Register } = messages

/** New accounts, and the salt that client and server choose together for any new password. */
export const registration = definePlugin({
  name: 'registration',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { accounts },
  options: z.strictObject({
    /** Whether anyone may create an account; operators always may. */
    open: z.boolean().default(true),
    iterations: z.number().int().min(MIN_ITERATIONS).max(MAX_ITERATIONS).default(DEFAULT_ITERATIONS),
    /** How clients hash a new password before they derive keys; `md5x10` admits clients of the original too. */
    preHash: z.enum(PRE_HASHES).default(''),
    /** Least length of a new password, in characters. Clients check it: the server sees no passwords. */
    minPassword: z.number().int().min(1).max(256).default(8),
  }),
  setup(app, { options, needs: { accounts }, limits }) {
    const { open, iterations, preHash, minPassword } = options
    const salts = new Salts(iterations)
    const rate = new RegistrationRate(limits.registrations, app.cluster)
    app.onStop(rate.hear())

    const checkOpen = () => {
      if (!open) throw new Refused(FAILURES.registration_closed)
    }

    app.handle(NewSalt, (session, { clientSalt }) => ({
      salt: salts.create(session, clientSalt),
      iterations,
      preHash,
      minPassword,
    }))

    app.handle(Register, async (session, { user, nickname, ...keys }) => {
      checkOpen()
      const verifier = salts.verifierFor(session, keys)
      await rate.take(session)
      try {
        const { id, name } = await accounts.create({ name: user, nickname, role: 'user', verifier })
        return { id, user: name }
      } catch (error) {
        salts.giveBack(session, verifier)
        throw error
      }
    })

    return {
      /** The verifier of new keys; uses up the session's salt. @throws Refused `no_salt`, `invalid_value` */
      verifierFor: (session: Session, keys: Keys) => salts.verifierFor(session, keys),

      /**
       * Counts the session's next registration against the limit of its address before the keys for it are computed.
       * @throws Refused `registration_closed`, `rate_limited`, `invalid_name`, `username_taken`
       */
      reserve: async (session: Session, names: { readonly name: string; readonly nickname: string }) => {
        checkOpen()
        await rate.count(session)
        await accounts.checkNew(names)
        rate.reserve(session)
      },

      /** Shape of the next new account's verifier. */
      shape: { iterations, preHash, saltLength: 2 * SALT_HALF_LENGTH },
    }
  },
})
