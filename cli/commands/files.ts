import type { Client, ListedFile, StoredFile } from '../../client/index.ts'
import { asUser } from '../client/sessions.ts'
import { notEmpty, wholeNumber } from '../definition/coerce.ts'
import { defineCommand, defineGroup, type Shared } from '../definition/command.ts'
import { WHO } from '../definition/options.ts'
import { CliError } from '../errors/exit.ts'
import { STDIN } from '../input/marks.ts'
import { type Column, isFormat } from '../output/output.ts'
import { filesForOperator } from './files-operator.ts'

/** @throws CliError `usage` */
function fileId(word: string): number {
  if (/^[1-9]\d{0,15}$/.test(word)) return Number(word)
  throw new CliError('usage', `"${word}" is no id of a file`, '`chatctl files list` prints them, and `listen` does')
}

const ID = { type: 'string', demandOption: true, describe: 'id of the file' } as const

const get = defineCommand({
  command: 'get <id>',
  describe: 'Fetch a file; an interrupted one is resumed',
  ownOutput: true,
  examples: [
    ['$0 files get 7', 'under its own name, in the current folder'],
    ['$0 files get 7 -o photos/', 'in that folder'],
    ['$0 files get 7 -o build.log --force', 'replaces a file of that name'],
    ['$0 files get 7 -o - | tar t', 'into a pipe'],
    ['$0 files get 7 --preview', 'the small picture, as WebP'],
  ],
  builder: (args) =>
    args.positional('id', ID).options({
      ...WHO,
      output: {
        type: 'string',
        describe: 'path, folder, or - for stdout; or table, json, ndjson, plain for what is printed about it',
        coerce: notEmpty('output'),
      },
      force: { type: 'boolean', describe: 'replace a file of that name' },
      preview: { type: 'boolean', describe: 'the preview of a picture' },
    }),
  async run({ id: word, output, force = false, preview = false }, shared) {
    const id = fileId(word)
    const asked = output === undefined || isFormat(output) ? undefined : output
    if (asked === STDIN) {
      if (process.stdout.isTTY)
        throw new CliError('usage', 'stdout is a terminal', 'pipe it into a program, or name a file with -o PATH')
      return asUser(shared, (client) => pipe(client, shared, id, preview), { reconnect: true })
    }
    await asUser(shared, (client) => fetchFile(client, shared, { id, asked, force, preview }), { reconnect: true })
  },
})

async function pipe(client: Client, { output, signal }: Shared, id: number, preview: boolean) {
  const variant = preview ? 'preview' : 'original'
  for await (const chunk of client.download(id, { variant, signal })) await output.write(chunk)
}

interface Wanted {
  readonly id: number
  readonly asked: string | undefined
  readonly force: boolean
  readonly preview: boolean
}

async function fetchFile(client: Client, { output, signal }: Shared, { id, asked, force, preview }: Wanted) {
  const { saveFile, savePreview, targetOf } = await import('../files/saving.ts')
  const file = await client.fileInfo(id, { signal })
  const path = await targetOf(asked, preview ? `${file.name}.preview.webp` : file.name)
  await (preview ? savePreview : saveFile)(client, file, path, { force, signal })
  const saved = { ...file, path }
  await output.item(
    saved,
    [
      { title: 'saved', value: ({ path }) => path },
      { title: 'bytes', value: ({ size, preview: bytes }) => (preview ? bytes : size) },
      { title: 'type', value: ({ type }) => (preview ? 'image/webp' : type) },
    ],
    { title: 'saved', value: ({ path }) => path },
  )
}

const COLUMNS: Column<ListedFile>[] = [
  { title: 'id', value: ({ id }) => id },
  { title: 'name', value: ({ name }) => name },
  { title: 'bytes', value: ({ size }) => size },
  { title: 'type', value: ({ type }) => type },
  { title: 'from', value: ({ message }) => message?.from },
  { title: 'message', value: ({ message }) => message?.id },
  { title: 'time', value: ({ message, createdAt }) => message?.sentAt ?? createdAt },
]

const list = defineCommand({
  command: 'list',
  describe: 'List the files in a conversation, or those that you have uploaded, newest first',
  examples: [
    ['$0 files list', 'your own'],
    ['$0 files list --with bob', 'in the conversation with him'],
    ['$0 files list --group ops --limit 10 -o json', 'the newest ten of a group'],
  ],
  builder: (args) =>
    args.options({
      ...WHO,
      with: { type: 'string', describe: 'of the conversation with this user', coerce: notEmpty('with') },
      group: { type: 'string', describe: 'of this group', coerce: notEmpty('group') },
      limit: { type: 'string', describe: 'most files; default all', coerce: wholeNumber('limit', 1, 1e6) },
    }),
  async run({ with: other, group, limit = Number.POSITIVE_INFINITY }, shared) {
    if (other !== undefined && group !== undefined) throw new CliError('usage', '--with or --group, not both')
    const where = { ...(other !== undefined && { with: other }), ...(group !== undefined && { group }) }
    const found = await asUser(shared, async (client) => {
      const files: ListedFile[] = []
      for (let before = 0; files.length < limit; ) {
        const page = await client.files({ ...where, before })
        files.push(...page.files)
        before = page.next
        if (before === 0) break
      }
      return files.slice(0, limit)
    })
    await shared.output.list(found, COLUMNS, 'no files')
  },
})

const info = defineCommand({
  command: 'info <id>',
  describe: 'Show what is known of a file',
  examples: [['$0 files info 7', 'name, size, type, SHA-256, dimensions']],
  builder: (args) => args.positional('id', ID).options(WHO),
  async run({ id: word }, shared) {
    const id = fileId(word)
    const found = await asUser(shared, (client) => client.fileInfo(id))
    await shared.output.item(found, [
      { title: 'id', value: ({ id }: StoredFile) => id },
      { title: 'name', value: ({ name }) => name },
      { title: 'bytes', value: ({ size }) => size },
      { title: 'type', value: ({ type }) => type },
      { title: 'pixels', value: ({ width, height }) => (width === 0 ? undefined : `${width} × ${height}`) },
      { title: 'preview', value: ({ preview }) => preview },
      { title: 'sha256', value: ({ sha256 }) => sha256 },
      { title: 'scanned', value: ({ held }) => !held },
      { title: 'own', value: ({ own }) => own },
      { title: 'uploaded', value: ({ createdAt }) => createdAt },
    ])
  },
})

const remove = defineCommand({
  command: 'delete <ids..>',
  describe: 'Delete files that you have uploaded; the messages stay, and nobody can fetch the files',
  examples: [['$0 files delete 7 8', 'by the ids that `files list` prints']],
  builder: (args) =>
    args
      .positional('ids', { type: 'string', array: true, demandOption: true, describe: 'ids of the files' })
      .options(WHO),
  async run({ ids: words }, shared) {
    const ids = words.map(fileId)
    const deleted = await asUser(shared, async (client) => {
      for (const id of ids) await client.deleteFile(id)
      return ids.map((id) => ({ id, done: 'deleted' }))
    })
    await shared.output.list(deleted, [{ title: 'deleted', value: ({ id }) => id }])
  },
})

const usage = defineCommand({
  command: 'usage',
  describe: 'Show the space that your files take, and how much you may take',
  examples: [['$0 files usage -o json', 'in bytes']],
  builder: (args) => args.options(WHO),
  async run(_args, shared) {
    const used = await asUser(shared, (client) => client.fileUsage())
    await shared.output.item(used, [
      { title: 'files', value: ({ files }) => files },
      { title: 'bytes', value: ({ bytes }) => bytes },
      { title: 'quota', value: ({ quota }) => quota },
      { title: 'largest file', value: ({ maxSize }) => maxSize },
    ])
  },
})

export const files = defineGroup(
  'files',
  'Files that messages carry; `chatctl send NAME --file PATH` sends one',
  [
    ['$0 files get 7', 'fetch one'],
    ['$0 files list --with bob', 'what you have sent each other'],
  ],
  [get, list, info, remove, usage, ...filesForOperator],
)
