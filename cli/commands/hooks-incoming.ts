import { asUser } from '../client/sessions.ts'
import { defineCommand, defineGroup } from '../definition/command.ts'
import { OPTIONS, WHO } from '../definition/options.ts'
import { CliError } from '../errors/exit.ts'

const messages = () => import('../../plugins/incoming/messages.ts')

/** `--user` says whose messages a hook posts. */
const OWNER = { ...WHO, as: { ...OPTIONS.as, alias: 'user' } } as const

const FORMATS = ['auto', 'slack', 'discord', 'alertmanager', 'github', 'text'] as const

const create = defineCommand({
  command: 'create <name>',
  describe: 'Create an address at which another program posts messages; it is shown once',
  examples: [
    ['$0 hooks incoming create grafana --user ci --group ops', 'as the operator: messages of ci to a group'],
    ['$0 hooks incoming create builds --to bob --format github --signed', 'only signed requests of GitHub'],
  ],
  builder: (args) =>
    args.positional('name', { type: 'string', demandOption: true, describe: 'name of the hook' }).options({
      ...OWNER,
      to: { type: 'string', describe: 'user who gets the messages' },
      group: { type: 'string', describe: 'group that gets them' },
      format: { choices: FORMATS, default: 'auto' as const, describe: 'form of the requests' },
      signed: { type: 'boolean', default: false, describe: 'take only requests that are signed with the secret' },
    }),
  async run({ name, to, group, format, signed }, shared) {
    if ((to === undefined) === (group === undefined)) throw new CliError('usage', 'name --to USER or --group GROUP')
    const { CreateIncomingHook } = await messages()
    const wanted = { name, to: to ?? '', group: group ?? '', format, signed }
    const { id, token, secret } = await asUser(shared, (client) => client.request(CreateIncomingHook, wanted))
    const created = { id, path: `/hooks/${token}`, secret }
    await shared.output.item(
      created,
      [
        { title: 'id', value: () => id },
        { title: 'path', value: ({ path }) => path },
        { title: 'secret', value: () => secret },
      ],
      { title: 'path', value: ({ path }) => path },
    )
  },
})

const list = defineCommand({
  command: 'list',
  describe: 'List the incoming hooks of a user, without their addresses',
  examples: [['$0 hooks incoming list --user ci', 'as the operator']],
  builder: (args) => args.options(OWNER),
  async run(_args, shared) {
    const { QueryIncomingHooks } = await messages()
    const { hooks } = await asUser(shared, (client) => client.request(QueryIncomingHooks, {}))
    await shared.output.list(
      hooks.map(({ createdAt, usedAt, ...hook }) => ({
        ...hook,
        createdAt: new Date(createdAt),
        usedAt: usedAt === 0 ? null : new Date(usedAt),
      })),
      [
        { title: 'id', value: ({ id }) => id },
        { title: 'name', value: ({ name }) => name },
        { title: 'to', value: ({ to, group }) => (group === '' ? to : `@${group}`) },
        { title: 'format', value: ({ format, signed }) => (signed ? `${format}, signed` : format) },
        { title: 'used', value: ({ usedAt }) => usedAt ?? 'never' },
      ],
      'no incoming hooks',
    )
  },
})

const revoke = defineCommand({
  command: 'revoke <id>',
  describe: 'Revoke an incoming hook',
  examples: [['$0 hooks incoming revoke 7', 'by the id that `hooks incoming list` prints']],
  builder: (args) =>
    args.positional('id', { type: 'string', demandOption: true, describe: 'id of the hook' }).options(OWNER),
  async run({ id: word }, shared) {
    if (!/^[1-9]\d{0,9}$/.test(word))
      throw new CliError('usage', `"${word}" is no id of a hook`, '`chatctl hooks incoming list` prints them')
    const { RevokeIncomingHook } = await messages()
    const id = Number(word)
    await asUser(shared, (client) => client.request(RevokeIncomingHook, { id }))
    await shared.output.record({ id, done: 'revoked' }, () => `revoked ${id}`)
  },
})

export const incoming = defineGroup(
  'incoming',
  'Addresses at which other programs post messages as they do to Slack, Discord and others',
  [['$0 hooks incoming create grafana --user ci --group ops', 'for the alerts of Grafana']],
  [create, list, revoke],
)
