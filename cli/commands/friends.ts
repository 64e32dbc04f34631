import type { Client } from '../../client/index.ts'
import { isNamed } from '../client/incoming.ts'
import { asUser } from '../client/sessions.ts'
import { defineCommand, defineGroup } from '../definition/command.ts'
import { WHO } from '../definition/options.ts'

const messages = () => import('../../plugins/friends/messages.ts')

const list = defineCommand({
  command: 'list',
  describe: 'List friends, and which of them are online',
  examples: [
    ['$0 friends list', 'as the selected login'],
    ['$0 friends list --as alice -o json', 'as the operator'],
  ],
  builder: (args) => args.options(WHO),
  async run(_args, shared) {
    const { FriendList } = await messages()
    const { friends } = await asUser(shared, (client) => client.request(FriendList, {}))
    const { green } = shared.output.colors
    await shared.output.list(
      friends.map((friend) => ({ ...friend, since: new Date(friend.since) })),
      [
        { title: 'user', value: ({ user }) => user },
        { title: 'nickname', value: ({ nickname }) => nickname },
        {
          title: 'state',
          value: ({ online }) => (online ? 'online' : 'offline'),
          color: ({ online }) => (online ? green : undefined),
        },
        { title: 'since', value: ({ since }) => since },
      ],
      'no friends yet; ask someone with `chatctl friends add NAME`',
    )
  },
})

const requests = defineCommand({
  command: 'requests',
  describe: 'List pending requests, sent and received',
  examples: [['$0 friends requests', '']],
  builder: (args) => args.options(WHO),
  async run(_args, shared) {
    const { QueryFriendRequests } = await messages()
    const { requests } = await asUser(shared, (client) => client.request(QueryFriendRequests, {}))
    await shared.output.list(
      requests.map((request) => ({ ...request, sentAt: new Date(request.sentAt) })),
      [
        { title: '', value: ({ incoming }) => (incoming ? 'from' : 'to') },
        { title: 'user', value: ({ user }) => user },
        { title: 'nickname', value: ({ nickname }) => nickname },
        { title: 'note', value: ({ note }) => note },
        { title: 'sent', value: ({ sentAt }) => sentAt },
      ],
      'no pending requests',
    )
  },
})

const blocked = defineCommand({
  command: 'blocked',
  describe: 'List the users you have blocked',
  examples: [['$0 friends blocked', '']],
  builder: (args) => args.options(WHO),
  async run(_args, shared) {
    const { QueryBlockedUsers } = await messages()
    const { users } = await asUser(shared, (client) => client.request(QueryBlockedUsers, {}))
    await shared.output.list(users, [{ title: 'user', value: ({ user }) => user }], 'nobody is blocked')
  },
})

/** A command with the name of another user as its only argument. */
const verb = (name: string, about: string, done: string, act: (client: Client, user: string) => Promise<unknown>) =>
  defineCommand({
    command: `${name} <name>`,
    describe: about,
    examples: [[`$0 friends ${name} bob`, '']],
    builder: (args) =>
      args.positional('name', { type: 'string', demandOption: true, describe: 'name of the other user' }).options(WHO),
    async run({ name: user }, shared) {
      await asUser(shared, (client) => act(client, user))
      await shared.output.item({ user, done }, [{ title: done, value: (record) => record.user }])
    },
  })

const add = defineCommand({
  command: 'add <name>',
  describe: 'Send a friend request; accepts the one of that user, if there is one',
  examples: [['$0 friends add bob --note "it is me"', '']],
  builder: (args) =>
    args
      .positional('name', { type: 'string', demandOption: true, describe: 'name of the other user' })
      .options({ ...WHO, note: { type: 'string', describe: 'text that goes with the request' } }),
  async run({ name: user, note = '' }, shared) {
    const { AddFriend, FriendList } = await messages()
    const areFriends = await asUser(shared, async (client) => {
      await client.request(AddFriend, { user, note })
      return (await client.request(FriendList, {})).friends.some((friend) => isNamed(friend.user, user))
    })
    const done = areFriends ? 'friends' : 'asked'
    await shared.output.item({ user, done }, [{ title: done, value: (record) => record.user }])
  },
})

export const friends = defineGroup(
  'friends',
  'Friends, requests and blocks',
  [
    ['$0 friends add bob', 'asks'],
    ['$0 friends requests', 'what waits for an answer'],
    ['$0 friends accept alice', 'says yes'],
  ],
  [
    list,
    requests,
    add,
    verb('accept', 'Accept a request', 'accepted', async (client, user) => {
      const { ConfirmFriendRequest } = await messages()
      return client.request(ConfirmFriendRequest, { user, accept: true })
    }),
    verb('refuse', 'Refuse a request', 'refused', async (client, user) => {
      const { ConfirmFriendRequest } = await messages()
      return client.request(ConfirmFriendRequest, { user, accept: false })
    }),
    verb('remove', 'End a friendship, for both; messages stay', 'removed', async (client, user) => {
      const { DeleteFriend } = await messages()
      return client.request(DeleteFriend, { user })
    }),
    verb('block', 'Block all messages of a user', 'blocked', async (client, user) => {
      const { BlockUser } = await messages()
      return client.request(BlockUser, { user })
    }),
    verb('unblock', 'Unblock a user', 'unblocked', async (client, user) => {
      const { UnblockUser } = await messages()
      return client.request(UnblockUser, { user })
    }),
    blocked,
  ],
)
