import { type Format, object, objects, text, type Values } from './format.ts'
import { entry, light, lines, link } from './lines.ts'

/** Discord's webhooks. */
export const discord: Format = {
  name: 'discord',
  recognises: ({ body }) => typeof body.content === 'string' || Array.isArray(body.embeds),
  render({ body }) {
    const who = text(body.username)
    const said = lines(text(body.content), ...objects(body.embeds).map(embed))
    return said === '' || who === '' ? said : `[${who}] ${said}`
  },
  answer: (id, query) =>
    query.get('wait') === 'true'
      ? { status: 200, type: 'application/json', body: JSON.stringify({ id: String(id), type: 0 }) }
      : { status: 204 },
}

function embed(one: Values): string {
  const mark = light(one.color)
  const said = lines(
    link(text(object(one.author).name), text(object(one.author).url)),
    link(text(one.title), text(one.url)),
    text(one.description),
    ...objects(one.fields).map((field) => entry(text(field.name), text(field.value))),
    link('', text(object(one.image).url)),
    text(object(one.footer).text),
  )
  return said === '' ? '' : (mark === '' ? '' : `${mark} `) + said
}
