import {
  type App,
  definePlugin,
  KeyedQueue,
  Refused,
  Retries,
  type Session,
  toShownName,
  type UserSession,
} from '../../core/index.ts'
import { deviceProof } from '../../core/scram/index.ts'
import {
  type DeviceRow,
  devicesOf,
  findDevice,
  insertDevice,
  isUnavailable,
  revokeDevice,
  revokedDevices,
  useDevice,
} from '../../db/index.ts'
import { actor } from '../accounts/actor.ts'
import { type Account, accounts } from '../accounts/index.ts'
import { changes } from '../changes/index.ts'
import { login } from '../login/index.ts'
import { DeviceSessions } from './device-sessions.ts'
import { FAILURES } from './failures.ts'
import { checkPublicKey, hashOfVerifier, isSignedBy } from './keys.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'

const { AddDevice, LoginDevice, QueryDevices, RevokeDevice } = messages

const NAME_CHARACTERS = 64

/** @throws Refused `invalid_value` */
function checkName(wanted: string): string {
  const name = toShownName(wanted, NAME_CHARACTERS)
  if (name !== undefined) return name
  throw new Refused('invalid_value', `the name of a device is one line of 1 to ${NAME_CHARACTERS} characters`)
}

/** The account's verifier as a device keeps it. @throws Refused `not_allowed` */
function hashOf({ verifier }: Account): string {
  if (verifier !== undefined) return hashOfVerifier(verifier)
  throw new Refused('not_allowed', 'an account without a password has no devices')
}

/** Counts the sessions of a user's devices on all nodes; those of a node that does not answer are missing. */
function countSessions({ cluster, onStop }: App, sessions: DeviceSessions) {
  onStop(cluster.answer('devices', (userId) => sessions.countsOf(userId as number)))
  return async (userId: number): Promise<Map<number, number>> => {
    const { answers } = await cluster.ask<[number, number][]>('devices', userId)
    const counts = new Map(sessions.countsOf(userId))
    for (const elsewhere of answers.values())
      for (const [device, count] of elsewhere) counts.set(device, (counts.get(device) ?? 0) + count)
    return counts
  }
}

/**
 * Keys of devices, which log in without the password. A device belongs to the password with which it was added: its row
 * holds a hash of the account's verifier, so that no change of the password, by whomever, leaves a device behind.
 */
export const devices = definePlugin({
  name: 'devices',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { accounts, changes, login },
  setup(app, { needs: { accounts, changes, login }, limits, db, log }) {
    const sessions = new DeviceSessions()
    /** Logins and revocations of a user, one at a time: a revoked device must not have a session that it just began. */
    const queue = new KeyedQueue<number>()
    const counted = countSessions(app, sessions)

    const retries = new Retries(app, isUnavailable, (error) => log.warn({ err: error }, 'cannot check revoked devices'))
    /** Ends the sessions of devices that were revoked, on whichever node. After a login in progress, in the queue. */
    const endRevoked = (userId: number) =>
      queue.run(userId, async () => {
        const used = sessions.countsOf(userId).map(([device]) => device)
        if (used.length === 0) return
        for (const device of await revokedDevices(db, userId, used)) sessions.close(userId, device)
      })
    changes.follow('user', {
      changed: ({ subject }) => void retries.until(() => endRevoked(subject)),
      missed: () => {},
    })

    /** The verifier that the session's login has proven: the password may have changed since. */
    const provenHash = async (session: UserSession): Promise<string> => {
      const proven = accounts.verifierOf(session)
      return proven === undefined ? hashOf(await accounts.require(session.user.name)) : hashOfVerifier(proven)
    }

    app.handle(AddDevice, async (session, { name: wanted, publicKey }) => {
      const row = {
        user_id: session.user.id,
        name: checkName(wanted),
        public_key: checkPublicKey(publicKey),
        verifier_hash: await provenHash(session),
        added_at: app.clock.time(),
      }
      const id = await insertDevice(db, row, limits.devices)
      if (id === undefined) throw new Refused('too_many', `you have ${limits.devices} devices; revoke one`)
      app.audit.info({ event: 'device_added', ...actor(session), user: session.user.name, device: id, name: row.name })
      return { device: id }
    })

    /** The account and device that a signature proves; neither answer nor work differ by what does not exist. */
    const prove = async (session: Session, user: string, id: number, signature: Uint8Array) => {
      const [account, device] = await login.lookUp(session, user, async () => {
        const found = await accounts.read(user)
        return [found, await findDevice(db, found?.id ?? 0, id)] as const
      })
      const data = deviceProof(user, session.channelBinding)
      return login.attempt(session, user, () => {
        const isSigned = isSignedBy(device?.public_key, data, signature)
        const isValid = account?.verifier !== undefined && device?.verifier_hash === hashOfVerifier(account.verifier)
        return isSigned && isValid && device !== undefined ? { account, device } : undefined
      })
    }

    /** @throws Refused `login_failed`, `account_disabled` */
    const enter = async (session: Session, name: string, device: DeviceRow) => {
      if (!(await useDevice(db, device, app.clock.time()))) throw new Refused('login_failed')
      // The account may have changed since the look-up: its present state decides.
      const account = await accounts.find(name)
      if (!account?.active) throw new Refused('account_disabled')
      if (hashOf(account) !== device.verifier_hash) throw new Refused('login_failed')
      sessions.add(device.id, login.enter(session, account))
      log.debug({ user: account.name, session: session.id, device: device.id }, 'logged in with a device')
      return account
    }

    app.handle(LoginDevice, async (session, { user, device: id, signature }) => {
      const { account, device } = await prove(session, user, id, signature)
      const entered = await queue.run(account.id, () => enter(session, account.name, device))
      const { id: userId, name, nickname, role } = entered
      return { id: userId, user: name, nickname, role, epoch: app.epoch }
    })

    app.handle(
      QueryDevices,
      async (session) => {
        const current = sessions.deviceOf(session)
        const rows = await devicesOf(db, session.user.id, hashOf(await accounts.require(session.user.name)))
        const counts = await counted(session.user.id)
        const list = rows.map(({ id, name, added_at, used_at }) => ({
          device: id,
          name,
          addedAt: added_at,
          usedAt: used_at,
          sessions: counts.get(id) ?? 0,
          current: id === current,
        }))
        return { devices: list }
      },
      { serial: true },
    )

    app.handle(RevokeDevice, (session, { device: id }) =>
      queue.run(session.user.id, async () => {
        const wasRevoked = await changes.after(() => revokeDevice(db, session.user.id, id))
        if (!wasRevoked) throw new Refused(FAILURES.no_device)
        const closed = sessions.close(session.user.id, id)
        app.audit.info({ event: 'device_revoked', ...actor(session), user: session.user.name, device: id, closed })
      }),
    )
  },
})
