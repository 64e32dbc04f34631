import { clientMessage, line, optional, text, uint32 } from '../../core/wire/index.ts'

export const ReportAgentCall = clientMessage({
  type: 67,
  name: 'report_agent_call',
  about: 'Records a call that a program has made for a language model, in the audit log of the server.',
  allow: 'user',
  fields: {
    agent: line('name of the agent', { min: 1, max: 48 }),
    tool: line('tool that was called', { min: 1, max: 64 }),
    outcome: line('`ok`, or the name of the failure', { min: 1, max: 64 }),
    ms: uint32('time that the call took, milliseconds'),
    to: optional(text('whom the call named; empty if nobody', { max: 1024 }), ''),
  },
})
