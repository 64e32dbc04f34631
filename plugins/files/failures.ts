import { defineFailures } from '../../core/wire/index.ts'

export const FAILURES = defineFailures({
  no_upload: { code: 74, text: 'there is no such upload; begin it again' },
  file_too_large: { code: 75, text: 'the file is too large' },
  quota_exceeded: { code: 76, text: 'the files would need more space than is allowed' },
  no_space: { code: 77, text: 'the server has no space for the file' },
  file_incomplete: { code: 78, text: 'bytes of the file are missing' },
  file_differs: { code: 79, text: 'the received bytes do not have the SHA-256 of the file' },
  store_unavailable: { code: 81, text: 'the store of the files does not answer; retry later' },
  picture_refused: { code: 82, text: 'the picture is broken, or has metadata that cannot be removed' },
  file_held: { code: 80, text: 'the file is still being scanned; retry later' },
})
