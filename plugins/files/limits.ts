import { defineLimits, type LimitValues, liftable, limit } from '../../core/limits.ts'

const [MIB, GIB] = [1024 ** 2, 1024 ** 3]
const DAY_MS = 86_400_000

export const LIMITS = defineLimits({
  fileSize: limit(100 * MIB, 'bytes', 'size of one file; beyond it the upload is refused before it begins'),
  fileQuota: limit(
    2 * GIB,
    'bytes',
    'files of one user, unfinished uploads counted as announced; beyond it uploads are refused before they begin',
  ),
  fileStore: limit(50 * GIB, 'bytes', 'files of all users; beyond it uploads are refused before they begin'),
  fileFreeSpace: limit(
    GIB,
    'bytes',
    'space that stays free on the disk of the uploads; below it uploads are refused before they begin',
  ),
  fileUploads: limit(10, 'count', 'unfinished uploads of one user; beyond it a new one is refused'),
  fileBytes: liftable(
    10 * MIB,
    'per second',
    'bytes of files that one user sends and receives; beyond rate and burst, replies wait',
  ),
  fileBurst: liftable(20 * MIB, 'bytes', 'bytes of files of one user before the rate applies'),
  fileWindow: limit(
    4,
    'count',
    'unanswered upload_chunk and read_file of one session, each; beyond it further ones are refused',
  ),
  fileUnattached: limit(
    DAY_MS,
    'ms',
    'time that an upload without progress, or a file that no message carries, is kept; then it is deleted',
  ),
  fileScan: limit(60_000, 'ms', 'time for the scan of one file; beyond it the scan is repeated'),
  fileGrace: limit(DAY_MS, 'ms', 'time for which content that no file has any more stays in the store'),
})

export type FilesLimits = LimitValues<typeof LIMITS>
