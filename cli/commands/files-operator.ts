import type { ValuesOf } from '../../client/index.ts'
import { asOperator } from '../client/sessions.ts'
import { defineCommand } from '../definition/command.ts'
import { SERVER_FOLDER } from '../definition/options.ts'

const messages = () => import('../../plugins/files/messages.ts')

type Verified = ValuesOf<typeof import('../../plugins/files/messages.ts').FilesVerified>
type Quotas = ValuesOf<typeof import('../../plugins/files/messages.ts').FileQuotas>

const gc = defineCommand({
  command: 'gc',
  describe: 'Delete files that no message carries, and what they leave in the store; the server does it every hour too',
  examples: [
    ['$0 files gc --dry-run', 'what it would delete'],
    ['$0 files gc -o json', 'deletes, and prints the counts'],
  ],
  builder: (args) =>
    args.options({ ...SERVER_FOLDER, 'dry-run': { type: 'boolean', describe: 'delete nothing, only count' } }),
  async run({ dryRun = false }, shared) {
    const { FilesGc } = await messages()
    const swept = await asOperator(shared, (client) => client.request(FilesGc, { dryRun }))
    await shared.output.item({ dryRun, ...swept }, [
      { title: dryRun ? 'files to delete' : 'files deleted', value: ({ files }) => files },
      { title: 'rests of uploads', value: ({ parts }) => parts },
      { title: 'contents', value: ({ contents }) => contents },
      { title: 'bytes of them', value: ({ bytes }) => bytes },
      { title: 'contents that stay a while', value: ({ waiting }) => waiting },
    ])
  },
})

const verify = defineCommand({
  command: 'verify',
  describe: 'Read all files in the store and compare them with their SHA-256; exit code 1 if one is missing or differs',
  examples: [['$0 files verify -o ndjson', 'a line a fault']],
  builder: (args) => args.options(SERVER_FOLDER),
  async run(_args, shared) {
    const { VerifyFiles } = await messages()
    const faults: Verified['faults'] = []
    let checked = 0
    await asOperator(shared, async (client) => {
      for (let after = 0; ; ) {
        const { next, files, faults: found } = await client.request(VerifyFiles, { after })
        checked += files
        faults.push(...found)
        if (next === 0) return
        after = next
      }
    })
    await shared.output.list(
      faults,
      [
        { title: 'id', value: ({ file }) => file },
        { title: 'name', value: ({ name }) => name },
        { title: 'owner', value: ({ owner }) => owner },
        { title: 'of', value: ({ variant }) => variant },
        { title: 'content', value: ({ fault }) => fault },
      ],
      `${checked} files are as they were stored`,
    )
    return faults.length === 0 ? 'ok' : 'failed'
  },
})

const quota = defineCommand({
  command: 'quota',
  describe: 'Show the space that the files of each user take, and the limits',
  examples: [['$0 files quota -o ndjson', 'a line a user']],
  builder: (args) => args.options(SERVER_FOLDER),
  async run(_args, shared) {
    const { QueryFileQuotas } = await messages()
    const users: Quotas['users'] = []
    const total = await asOperator(shared, async (client) => {
      for (let after = 0; ; ) {
        const page = await client.request(QueryFileQuotas, { after })
        users.push(...page.users)
        if (page.next === 0) return page
        after = page.next
      }
    })
    const all = [
      ...users.map((usage) => ({ ...usage, limit: total.quota })),
      { user: null, files: total.files, bytes: total.bytes, limit: total.store },
    ]
    await shared.output.list(
      all,
      [
        { title: 'user', value: ({ user }) => user ?? 'all' },
        { title: 'files', value: ({ files }) => files },
        { title: 'bytes', value: ({ bytes }) => bytes },
        { title: 'at most', value: ({ limit }) => limit },
      ],
      'no files',
    )
  },
})

/** Commands of the group `files` for the operator. */
export const filesForOperator = [gc, verify, quota]
