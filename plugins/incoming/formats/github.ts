import { type Format, OK, object, objects, type Payload, text, type Values } from './format.ts'
import { LIGHTS, lines, link } from './lines.ts'

/** Commits of a push that are listed. */
const MAX_COMMITS = 10
const MAX_BODY_CHARACTERS = 500

/** The header of an event; Gitea and Forgejo send GitHub's too. */
const eventOf = ({ headers }: Payload): string =>
  String(headers['x-github-event'] ?? headers['x-gitea-event'] ?? headers['x-forgejo-event'] ?? '')

/** Events of GitHub, Gitea and Forgejo. */
export const github: Format = {
  name: 'github',
  recognises: (payload) => eventOf(payload) !== '',
  render(payload) {
    const { body } = payload
    const event = eventOf(payload)
    const said = (RENDERERS[event] ?? other)(body, event)
    const repository = text(object(body.repository).full_name)
    return said === undefined ? undefined : (repository === '' ? '' : `[${repository}] `) + said
  },
  answer: () => OK,
}

const userOf = (value: unknown): string => text(object(value).login) || text(object(value).username) || 'somebody'
const firstLine = (value: unknown): string => text(value).split('\n')[0] ?? ''

/** The beginning of a text of a person. */
function excerpt(value: unknown): string {
  const whole = text(value)
  return whole.length > MAX_BODY_CHARACTERS ? `${whole.slice(0, MAX_BODY_CHARACTERS).toWellFormed()}…` : whole
}

type Renderer = (body: Values, event: string) => string | undefined

const push: Renderer = (body) => {
  const branch = text(body.ref).replace(/^refs\/(heads|tags)\//, '')
  const who = userOf(body.sender)
  if (body.deleted === true) return `${who} deleted ${branch}`
  const commits = objects(body.commits)
  if (commits.length === 0) return body.created === true ? `${who} created ${branch}` : undefined
  const shown = commits.slice(0, MAX_COMMITS).map(({ id, message, url }) => {
    return `• ${link(`${text(id).slice(0, 7)} ${firstLine(message)}`, text(url))}`
  })
  const left = commits.length - shown.length
  const count = `${commits.length} commit${commits.length === 1 ? '' : 's'}`
  return lines(
    link(`${who} pushed ${count} to ${branch}`, text(body.compare) || text(body.compare_url)),
    ...shown,
    left > 0 ? `… and ${left} more` : '',
  )
}

/** Something with a number, a title and a page. */
const numbered =
  (what: string, key: string): Renderer =>
  (body) => {
    const one = object(body[key])
    const isMerged = body.action === 'closed' && one.merged === true
    const action = isMerged ? 'merged' : text(body.action).replaceAll('_', ' ')
    const title = `${userOf(body.sender)} ${action} ${what} #${text(one.number)}: ${text(one.title)}`
    return lines(link(title, text(one.html_url)), body.action === 'opened' ? excerpt(one.body) : '')
  }

const issueComment: Renderer = (body) => {
  const [issue, comment] = [object(body.issue), object(body.comment)]
  const title = `${userOf(body.sender)} commented on #${text(issue.number)}: ${text(issue.title)}`
  return body.action === 'created' ? lines(link(title, text(comment.html_url)), excerpt(comment.body)) : undefined
}

const release: Renderer = (body) => {
  const one = object(body.release)
  const title = `${userOf(body.sender)} ${text(body.action)} release ${text(one.name) || text(one.tag_name)}`
  return lines(link(title, text(one.html_url)), excerpt(one.body))
}

const CONCLUSIONS: Readonly<Record<string, string>> = {
  success: LIGHTS.green,
  failure: LIGHTS.red,
  timed_out: LIGHTS.red,
  cancelled: LIGHTS.none,
}

/** The end of a run; its beginning is not worth a message. */
const run =
  (key: string): Renderer =>
  (body) => {
    const one = object(body[key])
    if (body.action !== 'completed') return undefined
    const conclusion = text(one.conclusion)
    const name = text(one.name) || text(object(one.app).name) || key.replaceAll('_', ' ')
    const mark = CONCLUSIONS[conclusion] ?? LIGHTS.yellow
    return `${mark} ${link(`${name}: ${conclusion} on ${text(one.head_branch)}`, text(one.html_url))}`
  }

const other: Renderer = (body, event) => {
  const action = text(body.action)
  const page = text(object(body.repository).html_url)
  return link(`${userOf(body.sender)}: ${event.replaceAll('_', ' ')}${action === '' ? '' : ` ${action}`}`, page)
}

const RENDERERS: Readonly<Record<string, Renderer>> = {
  ping: (body) => link(`the webhook works. ${text(body.zen)}`.trim(), text(object(body.repository).html_url)),
  push,
  pull_request: numbered('pull request', 'pull_request'),
  issues: numbered('issue', 'issue'),
  issue_comment: issueComment,
  release,
  workflow_run: run('workflow_run'),
  check_suite: run('check_suite'),
}
