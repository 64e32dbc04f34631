import { type Format, OK, object, objects, text, type Values } from './format.ts'
import { LIGHTS, lines, link } from './lines.ts'

/** Alerts written out, at most; a storm of them is counted. */
const MAX_ALERTS = 20

/** Alertmanager's webhook, version 4, and Grafana's, which adds to it. */
export const alertmanager: Format = {
  name: 'alertmanager',
  recognises: ({ body }) => Array.isArray(body.alerts) && typeof body.status === 'string',
  render({ body }) {
    const alerts = objects(body.alerts)
    const shown = alerts.slice(0, MAX_ALERTS).map(alert)
    const left = alerts.length - shown.length + Number(body.truncatedAlerts ?? 0)
    return lines(
      heading(body, alerts),
      ...shown,
      left > 0 ? `… and ${left} more` : '',
      link('', text(body.externalURL)),
    )
  },
  answer: () => OK,
}

const isResolved = (status: unknown) => status === 'resolved'

function heading(body: Values, alerts: readonly Values[]): string {
  const title = text(body.title)
  const names = [...new Set(alerts.map(({ labels }) => text(object(labels).alertname)))].filter(Boolean)
  const mark = isResolved(body.status) ? LIGHTS.green : LIGHTS.red
  const state = isResolved(body.status) ? 'RESOLVED' : 'FIRING'
  return `${mark} ${title === '' ? `${state}: ${names.join(', ') || 'alerts'} (${alerts.length})` : title}`
}

/** Labels that the heading or the line of an alert has already. */
const SHOWN_LABELS = ['alertname', 'severity']

function alert({
  status,
  labels,
  annotations,
  values,
  generatorURL,
  dashboardURL,
  panelURL,
  silenceURL,
}: Values): string {
  const { alertname, severity } = object(labels)
  const others = Object.entries(object(labels)).filter(([name]) => !SHOWN_LABELS.includes(name))
  const { summary, description, message } = object(annotations)
  const state = isResolved(status) ? 'resolved' : text(severity) || 'firing'
  const measured = Object.entries(object(values)).map(([name, value]) => `${name} = ${text(value)}`)
  return lines(
    `• ${text(alertname) || 'alert'} (${state})${others.map(([name, value]) => ` ${name}=${text(value)}`).join('')}`,
    ...[summary, description, message].map(text).filter(Boolean).map(indented),
    indented(measured.join(', ')),
    ...[generatorURL, dashboardURL, panelURL]
      .map(text)
      .filter(Boolean)
      .map((url) => indented(link('', url))),
    indented(link(text(silenceURL) === '' ? '' : 'silence', text(silenceURL))),
  )
}

const indented = (text: string) => (text === '' ? '' : text.replaceAll(/^/gm, '  '))
