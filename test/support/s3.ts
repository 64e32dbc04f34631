import type { ExecutionContext } from 'ava'
import S3rver from 's3rver'
import { tempFolder } from './temp-folder.ts'

/** Credentials that s3rver accepts. */
export const S3_CREDENTIALS = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' }

/** A service of S3 on a free port, with an empty bucket `chat`; its data stays in the folder when it stops. */
export async function startS3(t: ExecutionContext, { folder, port = 0 }: { folder?: string; port?: number } = {}) {
  const directory = folder ?? (await tempFolder(t))
  const server = new S3rver({
    ...{ address: '127.0.0.1', port, silent: true, directory },
    configureBuckets: [{ name: 'chat' }],
  })
  const { port: taken } = await server.run()
  let isStopped = false
  const stop = async () => {
    if (isStopped) return
    isStopped = true
    await server.close()
  }
  t.teardown(stop)
  const endpoint = `http://127.0.0.1:${taken}`
  return { folder: directory, port: taken, endpoint, store: `s3://chat/files?endpoint=${endpoint}`, stop }
}
