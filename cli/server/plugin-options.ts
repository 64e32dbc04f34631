import { dataPaths } from './paths.ts'

type Options = Readonly<Record<string, unknown>>
type Address = { readonly host: string; readonly port: number }

interface Settings {
  readonly data: string
  /** Folder of the files, or `s3://…`; `files` in the data folder if left out. */
  readonly files?: string | undefined
  readonly pluginOptions?: Options
  /** Where to listen for clients of the original chat room; nowhere if left out. */
  readonly legacy?: Address | undefined
  /** Where to listen for requests of the metrics; nowhere if left out. */
  readonly metrics?: Address | undefined
}

/** The options of the loaded plugins, with what follows from the settings of the server. */
export function pluginOptionsOf(
  { data, files, pluginOptions = {}, legacy, metrics }: Settings,
  loaded: ReadonlySet<string>,
): Options {
  const of = (plugin: string) => (pluginOptions[plugin] ?? {}) as object
  return {
    ...pluginOptions,
    ...(loaded.has('files') && { files: { folder: dataPaths(data).files, ...storeOf(files), ...of('files') } }),
    ...(metrics !== undefined && { metrics: { ...of('metrics'), listen: metrics } }),
    // So that the original's clients can log in with new passwords.
    ...(legacy !== undefined && {
      registration: { preHash: 'md5x10', ...of('registration') },
      legacy: { ...of('legacy'), ...legacy },
    }),
  }
}

function storeOf(files: string | undefined, environment = process.env) {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = environment
  return {
    ...(files && { store: files }),
    ...(files?.startsWith('s3://') && accessKeyId && secretAccessKey && { s3: { accessKeyId, secretAccessKey } }),
  }
}
