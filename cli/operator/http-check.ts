import { get } from 'node:http'
import { asOperator } from '../client/sessions.ts'
import type { Shared } from '../definition/command.ts'
import { reasonOf } from '../errors/system-error.ts'
import { type Finding, finding } from './doctor-checks.ts'

/** Whether the HTTP listener of a running server answers; nothing for a server that has none. */
export async function checkHttp(shared: Shared): Promise<Finding[]> {
  const { QueryStatus } = await import('../../core/wire/index.ts')
  const { http } = await asOperator(shared, async (client): Promise<{ http?: string }> => {
    return JSON.parse((await client.request(QueryStatus, {})).json)
  })
  if (http === undefined) return []
  try {
    const status = await statusOf(`${reachable(http)}/healthz`, shared.timeout)
    return [finding('http', status === 200 ? 'ok' : 'failed', `${http} answers with ${status}`)]
  } catch (error) {
    return [finding('http', 'failed', `${http} does not answer: ${reasonOf(error)}`)]
  }
}

/** A listener on all addresses is reached on this machine. */
const reachable = (url: string) => url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')

function statusOf(url: string, timeout: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeout)
    get(url, { agent: false, signal }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    }).on('error', reject)
  })
}
