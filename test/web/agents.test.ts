import { ClientCaller } from '../../cli/client/mcp-caller.ts'
import { Agent } from '../../plugins/mcp/agent.ts'
import { rightsOf } from '../../plugins/mcp/rights.ts'
import { TOOLS } from '../../plugins/mcp/tools.ts'
import { openStage } from '../support/browser/stage.ts'
import { testInBrowser } from '../support/browser.ts'

testInBrowser('Ann approves in the page what an agent asks', async (t) => {
  const { server, person } = await openStage(t)
  const ann = await person('ann')
  const agent = new Agent(
    'agent',
    new ClientCaller(await server.user('helper'), 'helper'),
    rightsOf(['ann'], { readOnly: false }),
  )
  const ask = TOOLS.find(({ name }) => name === 'ask')
  const call = { signal: new AbortController().signal, progress: () => {} }
  const question = ask?.input.parse({ to: 'ann', question: 'Deploy?', options: ['yes', 'no'] })
  const asking = ask?.run(agent, question as never, call)
  await ann.openUser('helper')
  await ann.sees('Deploy?')
  await ann.say('yes')
  t.like(await asking, { state: 'answered', answer: 'yes', by: 'ann' })
})
