import { type Format, isObject, OK, object, objects, text, type Values } from './format.ts'
import { entry, light, lines, link } from './lines.ts'

const hasEntries = (value: unknown) => Array.isArray(value) && value.length > 0

/** Slack's incoming webhooks, whose form Mattermost, Rocket.Chat, Grafana, Alertmanager and many others send too. */
export const slack: Format = {
  name: 'slack',
  recognises: ({ body }) => typeof body.text === 'string' || hasEntries(body.attachments) || hasEntries(body.blocks),
  render({ body }) {
    const who = text(body.username)
    // Beside blocks, the text is what a notification shows.
    const content = hasEntries(body.blocks) ? blocks(body.blocks) : plainText(text(body.text))
    const attached = objects(body.attachments).map(attachment)
    const said = lines(content, ...attached)
    return said === '' || who === '' ? said : `[${who}] ${said}`
  },
  // Senders compare it byte by byte.
  answer: () => OK,
}

function attachment(one: Values): string {
  const inner = blocks(one.blocks)
  const title = link(plainText(text(one.title)), text(one.title_link))
  const fields = objects(one.fields).map((field) => entry(plainText(text(field.title)), plainText(text(field.value))))
  const said = lines(
    plainText(text(one.pretext)),
    plainText(text(one.author_name)),
    title,
    plainText(text(one.text)),
    inner,
    ...fields,
    ...objects(one.actions).map((action) => link(text(action.text), text(action.url))),
    link('', text(one.image_url)),
    plainText(text(one.footer)),
  )
  const mark = light(one.color)
  return (mark === '' ? '' : `${mark} `) + (said === '' ? plainText(text(one.fallback)) : said)
}

const blocks = (value: unknown): string => lines(...objects(value).map(block))

function block(one: Values): string {
  switch (one.type) {
    case 'header':
      return plain(one.text)
    case 'section':
      return lines(plain(one.text), ...objects(one.fields).map(plain), action(object(one.accessory)))
    case 'context':
      return objects(one.elements).map(plain).filter(Boolean).join(' · ')
    case 'divider':
      return '———'
    case 'image':
      return link(plain(one.title) || text(one.alt_text), text(one.image_url))
    case 'actions':
      return lines(...objects(one.elements).map(action))
    case 'rich_text':
      return objects(one.elements).map(richText).join('\n')
    default:
      return plain(one.text)
  }
}

/** Text objects of blocks, and images in a context. */
function plain(value: unknown): string {
  if (typeof value === 'string') return plainText(value)
  if (!isObject(value)) return ''
  return value.type === 'image' ? text(value.alt_text) : plainText(text(value.text))
}

const action = ({ text: label, url }: Values): string => (text(url) === '' ? '' : link(plain(label), text(url)))

/** A paragraph, list or quotation of rich text. */
function richText(one: Values): string {
  const inner = objects(one.elements)
  if (one.type === 'rich_text_list') return inner.map((item) => `• ${richText(item)}`).join('\n')
  return inner.map((part) => richPart(part)).join('')
}

function richPart(part: Values): string {
  const content = typeof part.text === 'string' ? part.text : ''
  switch (part.type) {
    case 'link':
      return link(content, text(part.url))
    case 'emoji':
      return `:${text(part.name)}:`
    case 'user':
      return `@${text(part.user_id)}`
    case 'broadcast':
      return `@${text(part.range)}`
    default:
      return content
  }
}

const ENTITIES: Readonly<Record<string, string>> = { '&lt;': '<', '&gt;': '>', '&amp;': '&' }

/** Slack's links and mentions as plain text: `<url|title>`, `<@U1|ann>`, `<!channel>`. */
function plainText(value: string): string {
  return value
    .replaceAll(/<([^<>|\s][^<>|]*)(?:\|([^<>]*))?>/g, (_, target: string, label: string | undefined) => {
      if (/^[@#]/.test(target)) return label === undefined ? target : target[0] + label.replace(/^[@#]/, '')
      if (target.startsWith('!')) return label ?? `@${target.slice(1)}`
      return link(label ?? '', target.replace(/^mailto:/, ''))
    })
    .replaceAll(/&(lt|gt|amp);/g, (entity) => ENTITIES[entity] ?? entity)
}
