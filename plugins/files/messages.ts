import {
  bool,
  bytes,
  clientMessage,
  line,
  list,
  oneOf,
  optional,
  serverMessage,
  uint16,
  uint32,
  uint64,
} from '../../core/wire/index.ts'
import { HASH_BYTES, MAX_CHUNK, MAX_LIST } from './fields.ts'

const upload = uint64('id of the upload, which is that of the file once it is finished')
const file = uint64('id of the file')

/** Description of a file. */
const facts = {
  file,
  name: line('name, without folders', { max: 255 }),
  size: uint64('bytes'),
  type: line('media type, found in the bytes', { max: 127 }),
  width: uint32('pixels, as shown; 0: no picture that may be shown'),
  height: uint32('pixels, as shown; 0: no picture that may be shown'),
  thumbhash: line('base64 of the ThumbHash; empty: none', { max: 64 }),
  preview: uint32('bytes of the preview; 0: none'),
  sha256: bytes('SHA-256 of the content', { max: HASH_BYTES }),
  held: bool('true: it cannot be read before a scan has accepted it'),
  own: bool('true: this user has uploaded it'),
  createdAt: uint64('time of the upload, milliseconds since 1970 UTC'),
}

export const UploadBegun = serverMessage({
  type: 178,
  name: 'upload_begun',
  about: 'The upload may go on at `offset`. If that is `size`, only finish_upload is missing.',
  fields: {
    upload,
    offset: uint64('bytes that the server has'),
    chunk: uint32('most bytes in one upload_chunk'),
    window: uint16('most unanswered upload_chunk'),
  },
})

export const BeginUpload = clientMessage({
  type: 76,
  name: 'begin_upload',
  about:
    'Begins an upload, or resumes the one with the same client id, at any time until it expires, also in another session. The space is reserved: what is too large is refused here.',
  allow: 'user',
  fields: {
    name: line('name of the file; folders in it are left out, a long name is shortened', { min: 1, max: 1024 }),
    size: uint64('bytes of the file', { min: 1 }),
    clientId: line('idempotency key of the upload, unique per user', { min: 1, max: 64 }),
  },
  reply: UploadBegun,
})

export const ChunkStored = serverMessage({
  type: 179,
  name: 'chunk_stored',
  about: 'How far the upload is.',
  fields: { offset: uint64('bytes that the server has: where the next chunk begins') },
})

export const UploadChunk = clientMessage({
  type: 77,
  name: 'upload_chunk',
  about:
    'The next bytes of an upload that was begun. Bytes at another offset than the expected one are ignored, and the reply has the expected one. The reply waits for the byte rate.',
  allow: 'user',
  fields: {
    upload,
    offset: uint64('place of the first byte in the file'),
    data: bytes('content', { min: 1, max: MAX_CHUNK }),
  },
  reply: ChunkStored,
})

export const FileInfo = serverMessage({
  type: 180,
  name: 'file_info',
  about: 'Description of a file.',
  fields: facts,
})

export const FinishUpload = clientMessage({
  type: 78,
  name: 'finish_upload',
  about:
    'Finishes an upload whose bytes are complete. The reply comes when the file is on disk. A repeat gets the same reply.',
  allow: 'user',
  fields: {
    upload,
    sha256: bytes('SHA-256 of the sent bytes', { min: HASH_BYTES, max: HASH_BYTES }),
    keepMetadata: optional(bool('true: pictures keep their metadata, such as the place where they were taken'), false),
  },
  reply: FileInfo,
})

export const FileData = serverMessage({
  type: 181,
  name: 'file_data',
  about: 'Content of a file. Fewer bytes than requested: the end of the file.',
  fields: {
    size: uint64('bytes of the file, or of its preview'),
    data: bytes('content', { max: MAX_CHUNK }),
  },
})

export const ReadFile = clientMessage({
  type: 79,
  name: 'read_file',
  about:
    'Requests content of a file. Permission is checked at each request. The reply waits for the byte rate, and until the client has read what was sent before.',
  allow: 'user',
  fields: {
    file,
    offset: optional(uint64('place of the first byte'), 0),
    length: optional(uint32('most bytes; 0: as many as one message carries', { max: MAX_CHUNK }), 0),
    variant: optional(oneOf('the file or its preview', ['original', 'preview']), 'original'),
  },
  reply: FileData,
})

export const QueryFile = clientMessage({
  type: 80,
  name: 'query_file',
  about: 'Requests the description of a file that this user may read.',
  allow: 'user',
  fields: { file },
  reply: FileInfo,
})

export const FileList = serverMessage({
  type: 182,
  name: 'file_list',
  about: 'A page of files, newest first.',
  fields: {
    next: uint64('`before` of the next request; 0: there are no more'),
    files: list(
      'the files',
      {
        ...facts,
        message: uint64('id of the message that carries it; 0 in the list of own files'),
        from: line('name of the sender of the message; empty in the list of own files', { max: 255 }),
        sentAt: uint64('time of the message; 0 in the list of own files'),
      },
      { max: MAX_LIST },
    ),
  },
})

export const QueryFiles = clientMessage({
  type: 81,
  name: 'query_files',
  about: 'Requests the files in a conversation, or without `with` and `group` those that this user has uploaded.',
  allow: 'user',
  fields: {
    with: optional(line('name of the other user', { max: 255 }), ''),
    group: optional(line('name of the group; not together with `with`', { max: 255 }), ''),
    before: optional(uint64('`next` of the reply before; 0: the newest'), 0),
    limit: optional(uint16('most files in the reply; 0: the server’s page size'), 0),
  },
  reply: FileList,
})

export const DeleteFile = clientMessage({
  type: 82,
  name: 'delete_file',
  about: 'Deletes a file of this user, or cancels its upload. Messages keep its name; nobody can read it any more.',
  allow: 'user',
  fields: { file },
})

export const FileUsage = serverMessage({
  type: 183,
  name: 'file_usage',
  about: 'Space that the files of a user take.',
  fields: {
    files: uint32('number of files, unfinished uploads included'),
    bytes: uint64('their bytes, as announced for unfinished uploads'),
    quota: uint64('most bytes'),
    maxSize: uint64('most bytes of one file'),
  },
})

export const QueryUsage = clientMessage({
  type: 83,
  name: 'query_usage',
  about: 'Requests the space that the files of this user take.',
  allow: 'user',
  fields: {},
  reply: FileUsage,
})

export const FilesSweptReport = serverMessage({
  type: 184,
  name: 'files_gc_report',
  about: 'What a sweep of the files has deleted, or would delete.',
  fields: {
    files: uint32('files that no message carries any more, and uploads without progress'),
    parts: uint32('rests of uploads'),
    contents: uint32('contents that no file has'),
    bytes: uint64('bytes of these contents'),
    waiting: uint32('contents that no file has, and that stay for a while'),
  },
})

export const FilesGc = clientMessage({
  type: 84,
  name: 'files_gc',
  about:
    'Deletes files that no message carries, rests of uploads, and contents that no file has. Runs by itself every hour.',
  allow: 'admin',
  fields: { dryRun: optional(bool('true: only count'), false) },
  reply: FilesSweptReport,
})

export const FilesVerified = serverMessage({
  type: 185,
  name: 'files_verified',
  about: 'Result of a check of some files.',
  fields: {
    next: uint64('`after` of the next request; 0: there are no more files'),
    files: uint32('files checked'),
    bytes: uint64('bytes read'),
    faults: list('what is wrong', {
      file,
      name: line('name of the file', { max: 255 }),
      owner: line('name of the user who has uploaded it', { max: 255 }),
      variant: oneOf('the file or its preview', ['original', 'preview']),
      fault: oneOf('its content is not in the store, or has another SHA-256', ['missing', 'differs']),
    }),
  },
})

export const VerifyFiles = clientMessage({
  type: 85,
  name: 'verify_files',
  about: 'Reads the contents of some files, and compares them with their SHA-256.',
  allow: 'admin',
  fields: { after: optional(uint64('`next` of the reply before; 0: the beginning'), 0) },
  reply: FilesVerified,
})

export const FileQuotas = serverMessage({
  type: 186,
  name: 'file_quotas',
  about: 'Space that files take: of all users, and a page of users by id.',
  fields: {
    files: uint32('files of all users'),
    bytes: uint64('bytes of all users'),
    store: uint64('most bytes of all users'),
    quota: uint64('most bytes of one user'),
    next: uint64('`after` of the next request; 0: there are no more users'),
    users: list('users with files', {
      user: line('name of the user', { max: 255 }),
      files: uint32('number of files'),
      bytes: uint64('their bytes'),
    }),
  },
})

export const QueryFileQuotas = clientMessage({
  type: 86,
  name: 'query_file_quotas',
  about: 'Requests the space that the files of all users take.',
  allow: 'admin',
  fields: { after: optional(uint64('`next` of the reply before; 0: the beginning'), 0) },
  reply: FileQuotas,
})
