import { definePlugin, Refused, TokenBucket, tokenBuckets, type User } from '../../core/index.ts'
import { findProfiles, type ProfileRow, saveProfile } from '../../db/index.ts'
import { type Account, accounts, SYSTEM } from '../accounts/index.ts'
import { friends } from '../friends/index.ts'
import { checkAbout, checkAvatar } from './checks.ts'
import { ProfileSaved } from './events.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'

const { ProfileChanged, QueryProfiles, SetProfile } = messages

/** Rates kept in memory, of the users who changed their profiles last. */
const MAX_RATES = 10_000

const toProfile = (
  { name, nickname }: Pick<User, 'name' | 'nickname'>,
  row: Omit<ProfileRow, 'user_id'> | undefined,
) => ({
  user: name,
  nickname,
  avatar: row?.avatar ?? '',
  about: row?.about ?? '',
  changedAt: Number(row?.changed_at ?? 0),
})

/** What users show of themselves beside their names. Everybody with an account may see it. */
export const profiles = definePlugin({
  name: 'profiles',
  messages,
  limits: LIMITS,
  needs: { accounts, friends },
  setup(app, { needs: { accounts, friends }, limits: { profileChanges }, db }) {
    const { clock } = app
    const rates = tokenBuckets<number>(MAX_RATES, { rate: profileChanges / 3600, burst: profileChanges, clock })

    /** Each change is announced to all friends. @throws Refused `rate_limited` */
    const count = (userId: number) => {
      const now = clock.now()
      const bucket = rates.get(userId) ?? new TokenBucket(profileChanges / 3600, profileChanges, now)
      rates.set(userId, bucket)
      const retryAfter = bucket.take(now)
      if (retryAfter === 0) return
      bucket.giveBack()
      throw new Refused('rate_limited', 'you have changed your profile too often; retry later', { retryAfter })
    }

    app.handle(SetProfile, async (session, wanted) => {
      const { user } = session
      const values = { avatar: checkAvatar(wanted.avatar), about: checkAbout(wanted.about) }
      count(user.id)
      const changed_at = await saveProfile(db, user.id, values, clock.time())
      app.share(ProfileSaved, { userId: user.id })
      const change = toProfile(user, { ...values, changed_at })
      app.users.send([user.id], ProfileChanged, change, { except: session, droppable: true })
      const { friends: known } = await friends.circleOf(user.id)
      await app.users.announce(known.keys(), ProfileChanged, change)
    })

    app.handle(
      QueryProfiles,
      async (session, { users }) => {
        const found: Account[] = []
        for (const name of users.length === 0 ? [session.user.name] : users.map(({ user }) => user)) {
          const account = accounts.find(name)
          // Each read of the database costs as much as a request.
          if (account instanceof Promise) session.charge(1)
          const known = await account
          if (known !== undefined && known !== SYSTEM) found.push(known)
        }
        const rows = await findProfiles(db, [...new Set(found.map(({ id }) => id))])
        const byId = new Map(rows.map((row) => [row.user_id, row]))
        return { profiles: found.map((account) => toProfile(account, byId.get(account.id))) }
      },
      { serial: true },
    )
  },
})
