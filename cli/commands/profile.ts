import type { Client, ValuesOf } from '../../client/index.ts'
import { asUser } from '../client/sessions.ts'
import { notEmpty } from '../definition/coerce.ts'
import { defineCommand, defineGroup } from '../definition/command.ts'
import { WHO } from '../definition/options.ts'
import { CliError } from '../errors/exit.ts'
import type { Column } from '../output/output.ts'

const messages = () => import('../../plugins/profiles/messages.ts')

type Profile = ValuesOf<typeof import('../../plugins/profiles/messages.ts').Profiles>['profiles'][number]

/** The profile of a user, or of the acting one. */
async function profileOf(client: Client, user?: string): Promise<Profile> {
  const { QueryProfiles } = await messages()
  const { profiles } = await client.request(QueryProfiles, { users: user === undefined ? [] : [{ user }] })
  const [profile] = profiles
  if (profile === undefined) throw new CliError('refused', `there is no user "${user}"`)
  return profile
}

const COLUMNS: Column<Profile>[] = [
  { title: 'user', value: ({ user }) => user },
  { title: 'nickname', value: ({ nickname }) => nickname },
  { title: 'about', value: ({ about }) => about },
  { title: 'avatar', value: ({ avatar }) => avatar },
  { title: 'changed', value: ({ changedAt }) => (changedAt === 0 ? 'never' : new Date(changedAt)) },
]

const show = defineCommand({
  command: 'show [name]',
  describe: 'Show the profile of a user; without a name, your own',
  examples: [
    ['$0 profile show', 'your own'],
    ['$0 profile show bob -o json', 'of another user'],
  ],
  builder: (args) =>
    args.positional('name', { type: 'string', describe: 'name of the user', coerce: notEmpty('name') }).options(WHO),
  async run({ name }, shared) {
    const profile = await asUser(shared, (client) => profileOf(client, name))
    await shared.output.item(profile, COLUMNS)
  },
})

const set = defineCommand({
  command: 'set',
  describe: 'Change your own profile; what is not named stays',
  examples: [
    ['$0 profile set --about "on call until Friday"', 'at most 200 characters'],
    ['$0 profile set --about ""', 'removes the text'],
    ['$0 profile set --avatar \'{"hair":"short"}\'', 'a JSON object of the client that draws it'],
  ],
  builder: (args) =>
    args.options({
      ...WHO,
      about: { type: 'string', describe: 'text about you, at most 200 characters; empty: none' },
      avatar: { type: 'string', describe: 'JSON object that describes your picture; empty: none' },
    }),
  async run({ about, avatar }, shared) {
    if (about === undefined && avatar === undefined)
      throw new CliError('usage', 'nothing to change', '`chatctl profile set --about TEXT`, or --avatar JSON')
    const { SetProfile } = await messages()
    const changed = await asUser(shared, async (client) => {
      const before = await profileOf(client)
      await client.request(SetProfile, { about: about ?? before.about, avatar: avatar ?? before.avatar })
      return profileOf(client)
    })
    await shared.output.item(changed, COLUMNS)
  },
})

export const profile = defineGroup(
  'profile',
  'What you and others show beside the names',
  [
    ['$0 profile show bob', 'of another user'],
    ['$0 profile set --about "on call"', 'your own'],
  ],
  [show, set],
)
