import type { Client, ValuesOf } from '../../client/index.ts'
import { asUser } from '../client/sessions.ts'
import { defineCommand } from '../definition/command.ts'
import { WHO } from '../definition/options.ts'

type Contact = ValuesOf<typeof import('../../plugins/contacts/messages.ts').ContactInfo>['contacts'][number]

async function allContacts(client: Client): Promise<Contact[]> {
  const { QueryContacts } = await import('../../plugins/contacts/messages.ts')
  const found: Contact[] = []
  for (let more = true; more; ) {
    const page = await client.request(QueryContacts, { skip: found.length })
    found.push(...page.contacts)
    more = page.more && page.contacts.length > 0
  }
  return found
}

/** A contact as programs get it. */
const toRecord = ({ kind, lastId, lastFrom, lastAt, lastText, ...contact }: Contact) => ({
  kind: kind === 4 ? 'group' : 'user',
  ...contact,
  last: lastId === 0 ? undefined : { id: lastId, from: lastFrom, sentAt: new Date(lastAt), text: lastText },
})

export const contacts = defineCommand({
  command: 'contacts',
  describe: 'List friends and groups with what is unread and the last message, the newest first',
  examples: [
    ['$0 contacts', 'unread ones in red'],
    ['$0 contacts --unread -o ndjson', 'only those with something unread, a line each'],
  ],
  builder: (args) =>
    args.options({ ...WHO, unread: { type: 'boolean', describe: 'only those with something unread' } }),
  async run({ unread: onlyUnread }, shared) {
    const found = (await asUser(shared, allContacts)).map(toRecord)
    const { red, green } = shared.output.colors
    await shared.output.list(
      onlyUnread ? found.filter(({ unread }) => unread > 0) : found,
      [
        {
          title: 'contact',
          value: ({ kind, name }) => (kind === 'group' ? `#${name}` : name),
          color: ({ unread }) => (unread > 0 ? red : undefined),
        },
        { title: 'nickname', value: ({ nickname }) => nickname },
        {
          title: 'state',
          value: ({ kind, friend, online }) => {
            if (kind === 'group') return 'group'
            if (!friend) return 'no friend'
            return online ? 'online' : 'offline'
          },
          color: ({ online }) => (online ? green : undefined),
        },
        { title: 'unread', value: ({ unread }) => unread, color: ({ unread }) => (unread > 0 ? red : undefined) },
        { title: 'when', value: ({ last }) => last?.sentAt },
        { title: 'last message', value: ({ last }) => last && `${last.from}: ${last.text}` },
      ],
      'no contacts yet; ask someone with `chatctl friends add NAME`',
    )
  },
})
