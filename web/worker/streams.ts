import type { Client } from '../../client/client.ts'
import { RefusedByServer } from '../../client/errors.ts'
import type { Key } from '../shared/model.ts'
import type { WorkerEvent } from '../shared/protocol.ts'

/** Shows texts that grow, if the server has them. Each becomes a message, which comes like any other. */
export async function followStreams(
  client: Client,
  keyOf: (place: { from: string; to: string; group: string }) => Key | undefined,
  emit: (event: WorkerEvent) => void,
) {
  try {
    await client.followStreams(({ stream, from, to = '', group = '', text, isOver }) => {
      const key = keyOf({ from, to, group })
      if (key !== undefined)
        emit({ type: 'growing', key, stream, ...(isOver ? {} : { growing: { stream, from, text } }) })
    })
  } catch (error) {
    if (!(error instanceof RefusedByServer && error.failure === 'unknown_type')) throw error
  }
}
