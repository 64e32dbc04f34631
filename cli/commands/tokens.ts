import type { ValuesOf } from '../../client/index.ts'
import { asUser } from '../client/sessions.ts'
import { defineCommand, defineGroup } from '../definition/command.ts'
import { OPTIONS, WHO } from '../definition/options.ts'
import { CliError } from '../errors/exit.ts'
import { readSpan } from '../input/time-span.ts'

const messages = () => import('../../plugins/tokens/messages.ts')

type Token = ValuesOf<typeof import('../../plugins/tokens/messages.ts').TokenList>['tokens'][number]

const SCOPES = ['send', 'read', 'manage'] as const

/** `--user` says whose token it is. */
const OWNER = { ...WHO, as: { ...OPTIONS.as, alias: 'user' } } as const

/** Words with a comma between them. @throws CliError `usage` */
function words(text: string, what: string): string[] {
  const found = text.split(',').map((word) => word.trim())
  if (found.every((word) => word !== '')) return found
  throw new CliError('usage', `--${what} is a list with commas, such as ${what === 'scope' ? 'send,read' : '@ops,bob'}`)
}

function scopesOf(text: string) {
  const wanted = words(text, 'scope')
  const unknown = wanted.find((word) => !SCOPES.some((scope) => scope === word))
  if (unknown !== undefined) throw new CliError('usage', `"${unknown}" is no scope; there are ${SCOPES.join(', ')}`)
  return { send: wanted.includes('send'), read: wanted.includes('read'), manage: wanted.includes('manage') }
}

function lifetimeOf(text: string): number {
  const ms = readSpan(text)
  if (ms === undefined) throw new CliError('usage', `--expires: "${text}" is not a time such as 90d or 12h`)
  return Math.ceil(ms)
}

const namesOf = (token: Token) => SCOPES.filter((scope) => token[scope]).join(',')
const targetsOf = ({ targets }: Token) => (targets === '' ? null : targets.split('\n'))

const create = defineCommand({
  command: 'create <name>',
  describe: 'Create a token, which is shown once and stored nowhere',
  examples: [
    ['$0 tokens create deploy --scope send', 'for the selected login'],
    ['$0 tokens create deploy --user ci --scope send,read --to @ops,bob --expires 30d', 'as the operator'],
  ],
  builder: (args) =>
    args.positional('name', { type: 'string', demandOption: true, describe: 'name of the token' }).options({
      ...OWNER,
      scope: { type: 'string', default: 'send', describe: 'what it may do: send, read, manage' },
      to: { type: 'string', describe: 'only these users and @groups; all if left out' },
      expires: { type: 'string', default: '90d', describe: 'time for which it is valid' },
    }),
  async run(args, shared) {
    const { CreateToken } = await messages()
    const wanted = {
      name: args.name,
      ...scopesOf(args.scope),
      targets: args.to === undefined ? '' : words(args.to, 'to').join('\n'),
      expiresIn: lifetimeOf(args.expires),
    }
    const created = await asUser(shared, (client) => client.request(CreateToken, wanted))
    await shared.output.text({ ...created, expiresAt: new Date(created.expiresAt) }, created.token)
  },
})

const list = defineCommand({
  command: 'list',
  describe: 'List the valid tokens of a user, without their secrets',
  examples: [
    ['$0 tokens list', 'as the selected login'],
    ['$0 tokens list --user ci -o json', 'as the operator'],
  ],
  builder: (args) => args.options(OWNER),
  async run(_args, shared) {
    const { QueryTokens } = await messages()
    const { tokens } = await asUser(shared, (client) => client.request(QueryTokens, {}))
    await shared.output.list(
      tokens.map((token) => ({
        id: token.id,
        name: token.name,
        scopes: namesOf(token),
        to: targetsOf(token),
        createdAt: new Date(token.createdAt),
        expiresAt: new Date(token.expiresAt),
        usedAt: token.usedAt === 0 ? null : new Date(token.usedAt),
      })),
      [
        { title: 'id', value: ({ id }) => id },
        { title: 'name', value: ({ name }) => name },
        { title: 'scopes', value: ({ scopes }) => scopes },
        { title: 'to', value: ({ to }) => to?.join(',') ?? 'all' },
        { title: 'expires', value: ({ expiresAt }) => expiresAt },
        { title: 'used', value: ({ usedAt }) => usedAt ?? 'never' },
      ],
      'no tokens',
    )
  },
})

const revoke = defineCommand({
  command: 'revoke <id>',
  describe: 'Revoke a token, and end the streams that were opened with it',
  examples: [['$0 tokens revoke 7', 'by the id that `tokens list` prints']],
  builder: (args) =>
    args.positional('id', { type: 'string', demandOption: true, describe: 'id of the token' }).options(OWNER),
  async run(args, shared) {
    if (!/^[1-9]\d{0,9}$/.test(args.id))
      throw new CliError('usage', `"${args.id}" is no id of a token`, '`chatctl tokens list` prints them')
    const { RevokeToken } = await messages()
    const id = Number(args.id)
    await asUser(shared, (client) => client.request(RevokeToken, { id }))
    await shared.output.record({ id, done: 'revoked' }, () => `revoked ${id}`)
  },
})

export const tokens = defineGroup(
  'tokens',
  'Tokens with which programs act as a user over HTTP',
  [
    ['$0 tokens create deploy --user ci --scope send --to @ops', 'for a script that reports to a group'],
    ['$0 tokens list --user ci', 'which there are'],
  ],
  [create, list, revoke],
)
