import type { Client } from '../../client/index.ts'
import { asUser } from '../client/sessions.ts'
import { defineCommand, defineGroup } from '../definition/command.ts'
import { WHO } from '../definition/options.ts'

const messages = () => import('../../plugins/groups/messages.ts')

const groupArgument = { type: 'string', demandOption: true, describe: 'name of the group' } as const
const userArgument = { type: 'string', demandOption: true, describe: 'name of the user' } as const

const list = defineCommand({
  command: 'list',
  describe: 'List the groups you are in',
  examples: [['$0 groups list -o json', '']],
  builder: (args) => args.options(WHO),
  async run(_args, shared) {
    const { QueryRooms } = await messages()
    const { groups } = await asUser(shared, (client) => client.request(QueryRooms, {}))
    const { red } = shared.output.colors
    await shared.output.list(
      groups,
      [
        { title: 'group', value: ({ group }) => group },
        { title: 'role', value: ({ role }) => role },
        { title: 'members', value: ({ members }) => members },
        { title: 'open', value: ({ open }) => (open ? 'yes' : 'by invitation') },
        { title: 'unread', value: ({ unread }) => unread, color: ({ unread }) => (unread > 0 ? red : undefined) },
      ],
      'no groups yet; make one with `chatctl groups create NAME`',
    )
  },
})

const invitations = defineCommand({
  command: 'invitations',
  describe: 'List the groups that you are invited to',
  examples: [
    ['$0 groups invitations', 'then `$0 groups join NAME`, or `$0 groups decline NAME`'],
    ['$0 groups invitations -o json', ''],
  ],
  builder: (args) => args.options(WHO),
  async run(_args, shared) {
    const { QueryInvitations } = await messages()
    const found = await asUser(shared, (client) => client.request(QueryInvitations, {}))
    await shared.output.list(
      found.invitations.map((invitation) => ({ ...invitation, invitedAt: new Date(invitation.invitedAt) })),
      [
        { title: 'group', value: ({ group }) => group },
        { title: 'by', value: ({ by }) => by },
        { title: 'invited', value: ({ invitedAt }) => invitedAt },
      ],
      'no invitations',
    )
  },
})

const members = defineCommand({
  command: 'members <group>',
  describe: 'List the members of a group, and which of them are online',
  examples: [['$0 groups members ops', '']],
  builder: (args) => args.positional('group', groupArgument).options(WHO),
  async run({ group }, shared) {
    const { QueryRoomUsers } = await messages()
    const found = await asUser(shared, (client) => client.request(QueryRoomUsers, { group }))
    const { green } = shared.output.colors
    await shared.output.list(found.members, [
      { title: 'user', value: ({ user }) => user },
      { title: 'nickname', value: ({ nickname }) => nickname },
      { title: 'role', value: ({ role }) => role },
      {
        title: 'state',
        value: ({ online }) => (online ? 'online' : 'offline'),
        color: ({ online }) => (online ? green : undefined),
      },
    ])
  },
})

const create = defineCommand({
  command: 'create <group>',
  describe: 'Create a group; you are its owner',
  examples: [
    ['$0 groups create ops', 'anyone may join'],
    ['$0 groups create 秘密 --invite-only --all-history', 'only who is invited; new members see what was said before'],
  ],
  builder: (args) =>
    args.positional('group', { ...groupArgument, describe: 'at most 30 characters' }).options({
      ...WHO,
      'invite-only': { type: 'boolean', default: false, describe: 'only invited users may join' },
      'all-history': { type: 'boolean', default: false, describe: 'new members see earlier messages' },
    }),
  async run({ group, inviteOnly, allHistory }, shared) {
    const { CreateRoom } = await messages()
    const created = await asUser(shared, (client) =>
      client.request(CreateRoom, { group, open: !inviteOnly, allHistory }),
    )
    await shared.output.item(created, [{ title: 'created', value: (record) => record.group }])
  },
})

/** A command about a group alone. */
const onGroup = (verb: string, about: string, done: string, act: (client: Client, group: string) => Promise<unknown>) =>
  defineCommand({
    command: `${verb} <group>`,
    describe: about,
    examples: [[`$0 groups ${verb} ops`, '']],
    builder: (args) => args.positional('group', groupArgument).options(WHO),
    async run({ group }, shared) {
      await asUser(shared, (client) => act(client, group))
      await shared.output.item({ group, done }, [{ title: done, value: (record) => record.group }])
    },
  })

/** A command about a user in a group. */
const onMember = (
  verb: string,
  about: string,
  done: string,
  act: (client: Client, group: string, user: string) => Promise<unknown>,
) =>
  defineCommand({
    command: `${verb} <group> <user>`,
    describe: about,
    examples: [[`$0 groups ${verb} ops bob`, '']],
    builder: (args) => args.positional('group', groupArgument).positional('user', userArgument).options(WHO),
    async run({ group, user }, shared) {
      await asUser(shared, (client) => act(client, group, user))
      await shared.output.item({ group, user, done }, [{ title: done, value: (record) => record.user }])
    },
  })

const role = defineCommand({
  command: 'role <group> <user> <role>',
  describe: 'Give a member a role; `owner` hands the group over to that member',
  examples: [['$0 groups role ops bob admin', '']],
  builder: (args) =>
    args
      .positional('group', groupArgument)
      .positional('user', userArgument)
      .positional('role', { type: 'string', demandOption: true, choices: ['owner', 'admin', 'member'] as const })
      .options(WHO),
  async run({ group, user, role: wanted }, shared) {
    const { SetRoomRole } = await messages()
    await asUser(shared, (client) => client.request(SetRoomRole, { group, user, role: wanted }))
    await shared.output.item({ group, user, role: wanted }, [
      { title: 'now', value: (record) => `${record.user}: ${record.role}` },
    ])
  },
})

const rename = defineCommand({
  command: 'rename <group> <name>',
  describe: 'Rename a group',
  examples: [['$0 groups rename ops operations', '']],
  builder: (args) =>
    args
      .positional('group', groupArgument)
      .positional('name', { type: 'string', demandOption: true, describe: 'the new name' })
      .options(WHO),
  async run({ group, name }, shared) {
    const { RenameRoom } = await messages()
    await asUser(shared, (client) => client.request(RenameRoom, { group, name }))
    await shared.output.item({ group: name, before: group }, [{ title: 'renamed to', value: (record) => record.group }])
  },
})

export const groups = defineGroup(
  'groups',
  'Groups and their members',
  [
    ['$0 groups create ops', 'a group that anyone may join'],
    ['$0 groups invite ops bob', 'for one that was made with --invite-only'],
    ['$0 send --group ops hello', 'writes to it'],
  ],
  [
    list,
    create,
    onGroup('join', 'Join a group', 'joined', async (client, group) => {
      const { JoinRoom } = await messages()
      return client.request(JoinRoom, { group })
    }),
    onGroup('leave', 'Leave a group', 'left', async (client, group) => {
      const { LeaveRoom } = await messages()
      return client.request(LeaveRoom, { group })
    }),
    members,
    onMember('invite', 'Invite a user to a group', 'invited', async (client, group, user) => {
      const { InviteToRoom } = await messages()
      return client.request(InviteToRoom, { group, user })
    }),
    invitations,
    onGroup('decline', 'Decline an invitation to a group', 'declined', async (client, group) => {
      const { DeclineInvitation } = await messages()
      return client.request(DeclineInvitation, { group })
    }),
    onMember(
      'kick',
      'Remove a member from a group, who may come back only by an invitation',
      'kicked',
      async (client, group, user) => {
        const { KickFromRoom } = await messages()
        return client.request(KickFromRoom, { group, user })
      },
    ),
    role,
    rename,
    onGroup('dissolve', 'Delete a group, for all members', 'dissolved', async (client, group) => {
      const { DissolveRoom } = await messages()
      return client.request(DissolveRoom, { group })
    }),
  ],
)
