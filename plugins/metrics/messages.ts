import { clientMessage, MAX_TEXT, serverMessage, text } from '../../core/wire/index.ts'

export const MetricsRead = serverMessage({
  type: 199,
  name: 'metrics',
  about: 'The metrics of the server.',
  fields: {
    json: text('JSON array of metrics: name, type, about, and samples with value, labels and suffix', {
      max: MAX_TEXT,
    }),
  },
})

export const QueryMetrics = clientMessage({
  type: 102,
  name: 'query_metrics',
  about: 'Requests the metrics that `/metrics` has.',
  allow: 'admin',
  fields: {},
  reply: MetricsRead,
})
