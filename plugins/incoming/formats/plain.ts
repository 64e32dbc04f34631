import { type Format, OK, text } from './format.ts'
import { LIGHTS, lines } from './lines.ts'

/** Severities of apprise and its like. */
const TYPES: Readonly<Record<string, string>> = {
  success: LIGHTS.green,
  warning: LIGHTS.yellow,
  failure: LIGHTS.red,
  error: LIGHTS.red,
}

const contentOf = (body: Readonly<Record<string, unknown>>) =>
  text(body.message) || text(body.text) || text(body.body) || text(body.msg)

/** JSON with a title and a text, as apprise sends it, and plain text. */
export const plain: Format = {
  name: 'text',
  recognises: ({ body }) => contentOf(body) !== '' || text(body.title) !== '',
  render({ body }) {
    const said = lines(text(body.title), contentOf(body))
    const mark = TYPES[text(body.type)]
    return said === '' || mark === undefined ? said : `${mark} ${said}`
  },
  answer: () => OK,
}
