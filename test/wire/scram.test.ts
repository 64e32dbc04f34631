import test from 'ava'
import fc from 'fast-check'
import {
  type Answer,
  type Challenge,
  createChallenge,
  DEFAULT_ITERATIONS,
  deriveKeys,
  fakeVerifier,
  joinSalt,
  type Login,
  MAX_PASSWORD_BYTES,
  MAX_TEXT_LENGTH,
  normalizePassword,
  readClientFirst,
  ScramError,
  type ScramErrorCode,
  shapeOf,
  startLogin,
  storedKey,
  verifierOf,
  verifyClientFinal,
} from '../../core/scram/index.ts'
import { hi, hmac, keysOf } from '../../core/scram/keys.ts'
import { authMessage, clientProof, proofMatches, serverSignature } from '../../core/scram/proof.ts'
import { readVectors } from '../support/wire/vectors.ts'

interface ScramVector {
  label: string
  password: string
  skipSASLprep: boolean
  salt_base64: string
  iterations: number
  client_first: string
  server_first: string
  client_final: string
  server_final: string
}
interface NoiseVector {
  source: string
  protocol_name: string
  handshake_hash: string
}

const vectors = readVectors('crypto')
const bound: Record<
  'client_first' | 'server_first' | 'client_final' | 'server_final' | 'stored_key' | 'server_key',
  string
> = vectors.scram_sha256_bound_derived
const hex = (text: string) => Buffer.from(text, 'hex')

/** h of the published NX handshake, to which the bound vector is bound. */
const h = hex(
  readVectors('noise-aesgcm').vectors.find(
    (v: NoiseVector) => v.source === 'cacophony' && v.protocol_name === 'Noise_NX_25519_AESGCM_SHA256',
  ).handshake_hash,
)
const otherH = Buffer.alloc(32, 7)

// The account of RFC 7677 §3, with the nonces of its example.
const CLIENT_NONCE = 'rOprNGfwEbeRWgbNEkqO'
const SERVER_NONCE = '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
const keys = await deriveKeys('pencil', salt, 4_096)
const wrongKeys = await deriveKeys('Pencil', salt, 4_096)
const verifier = verifierOf(keys, salt, 4_096)

/** The code of the ScramError that `act` throws or rejects with; any other error fails the test. */
async function codeOf(act: () => unknown): Promise<ScramErrorCode | undefined> {
  try {
    await act()
    return undefined
  } catch (error) {
    if (error instanceof ScramError) return error.code
    throw error
  }
}

interface Exchange {
  login: Login
  challenge: Challenge
  answer: Answer
}

/** A login up to the client's proof. */
async function loginWith(clientKeys = keys, account = verifier, clientH = h): Promise<Exchange> {
  const login = startLogin('user')
  const challenge = createChallenge(readClientFirst(login.clientFirst), account)
  return { login, challenge, answer: await login.answer(challenge.serverFirst, clientH, () => clientKeys) }
}

for (const v of vectors.scram_sha256.vectors as ScramVector[]) {
  test(`the published exchange "${v.label}" yields our proof and signature`, async (t) => {
    const vectorSalt = Buffer.from(v.salt_base64, 'base64')
    const derived = v.skipSASLprep
      ? keysOf(await hi(v.password, vectorSalt, v.iterations))
      : await deriveKeys(v.password, vectorSalt, v.iterations)
    const [withoutProof = '', proof = ''] = v.client_final.split(',p=')
    const message = authMessage(v.client_first.slice('n,,'.length), v.server_first, withoutProof)
    t.is(clientProof(derived.clientKey, message).toString('base64'), proof)
    t.true(proofMatches(Buffer.from(proof, 'base64'), storedKey(derived.clientKey), message))
    t.is(`v=${serverSignature(derived.serverKey, message).toString('base64')}`, v.server_final)
  })
}

test('the bound exchange is identical on both sides', async (t) => {
  t.is(verifier.storedKey.toString('hex'), bound.stored_key)
  t.is(verifier.serverKey.toString('hex'), bound.server_key)

  const login = startLogin('user', CLIENT_NONCE)
  t.is(login.clientFirst, bound.client_first)
  const clientFirst = readClientFirst(login.clientFirst)
  t.is(clientFirst.user, 'user')
  const challenge = createChallenge(clientFirst, verifier, SERVER_NONCE)
  t.is(challenge.serverFirst, bound.server_first)
  const answer = await login.answer(challenge.serverFirst, h, (s, i) => deriveKeys('pencil', s, i))
  t.is(answer.clientFinal, bound.client_final)
  const serverFinal = verifyClientFinal(challenge, answer.clientFinal, h)
  t.is(serverFinal, bound.server_final)
  t.notThrows(() => answer.verifyServerFinal(bound.server_final))
})

test('Hi() agrees with the Wycheproof PBKDF2 vectors in its one block', async (t) => {
  for (const v of vectors.pbkdf2_hmac_sha256_wycheproof.vectors) {
    const bytes = Math.min(v.dkLen, 32)
    const key = await hi(hex(v.password), hex(v.salt), v.iterationCount)
    t.deepEqual(key.subarray(0, bytes), hex(v.dk).subarray(0, bytes), `tcId ${v.tcId}`)
  }
})

test('HMAC agrees with the Wycheproof vectors', (t) => {
  for (const v of vectors.hmac_sha256_wycheproof.vectors) {
    t.is(hmac(hex(v.key), hex(v.msg)).toString('hex'), v.tag, `tcId ${v.tcId}`)
  }
})

test('a client with cached keys logs in, and both sides confirm it', async (t) => {
  const { challenge, answer } = await loginWith()
  const serverFinal = verifyClientFinal(challenge, answer.clientFinal, h)
  t.is(typeof serverFinal, 'string')
  t.notThrows(() => answer.verifyServerFinal(serverFinal ?? ''))
})

test('a wrong password is refused without details', async (t) => {
  const { challenge, answer } = await loginWith(wrongKeys)
  t.is(verifyClientFinal(challenge, answer.clientFinal, h), undefined)
})

test('a man in the middle cannot relay a login, because the handshakes differ', async (t) => {
  const { challenge, answer } = await loginWith(keys, verifier, otherH)
  t.is(await codeOf(() => verifyClientFinal(challenge, answer.clientFinal, h)), 'binding')
})

test('a man in the middle who rewrites c= to his own handshake breaks the proof', async (t) => {
  const { challenge, answer } = await loginWith(keys, verifier, otherH)
  const [, r = '', p = ''] = answer.clientFinal.split(',')
  const rewritten = `c=${Buffer.concat([Buffer.from('p=noise-h,,'), h]).toString('base64')},${r},${p}`
  t.is(verifyClientFinal(challenge, rewritten, h), undefined)
})

test('a c= with less than the whole binding is refused', async (t) => {
  const { challenge, answer } = await loginWith()
  const c = answer.clientFinal.slice(0, answer.clientFinal.indexOf(','))
  for (const data of ['n,,', 'y,,', 'p=noise-h,,', h]) {
    const other = answer.clientFinal.replace(c, `c=${Buffer.from(data).toString('base64')}`)
    t.is(await codeOf(() => verifyClientFinal(challenge, other, h)), 'binding')
  }
})

test('an invalid handshake hash is refused on both sides', async (t) => {
  const { challenge, answer } = await loginWith()
  t.is(await codeOf(() => loginWith(keys, verifier, Buffer.alloc(0))), 'binding')
  t.is(await codeOf(() => verifyClientFinal(challenge, answer.clientFinal, Buffer.alloc(0))), 'binding')
})

test('n, y and other bindings are refused with their own code', async (t) => {
  for (const header of ['n,,', 'y,,', 'p=tls-exporter,,', 'p=noise-hh,,', 'p=noise,,', 'n,a=admin,']) {
    t.is(await codeOf(() => readClientFirst(`${header}n=user,r=abc`)), 'binding', header)
  }
})

test('too few or too many iterations are refused before any key is derived', async (t) => {
  let derivations = 0
  for (const i of ['1', '4095', '1000001', '4294967296', '9'.repeat(400)]) {
    const answer = () =>
      startLogin('user', 'abc').answer(`r=abcdef,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=${i}`, h, () => {
        derivations++
        return keys
      })
    t.is(await codeOf(answer), 'iterations', i)
  }
  t.is(derivations, 0)
  t.is(await codeOf(() => deriveKeys('pencil', salt, 4_095)), 'iterations')
  t.is(await codeOf(() => deriveKeys('pencil', salt, Number.NaN)), 'iterations')
})

test('the limits themselves are accepted', async (t) => {
  const seen: [number, number][] = []
  for (const [bytes, i] of [
    [8, 4_096],
    [64, 1_000_000],
  ] as const) {
    const serverFirst = `r=abcdef,s=${Buffer.alloc(bytes).toString('base64')},i=${i}`
    await startLogin('user', 'abc').answer(serverFirst, h, (s, n) => {
      seen.push([s.length, n])
      return keys
    })
  }
  t.deepEqual(seen, [
    [8, 4_096],
    [64, 1_000_000],
  ])
})

test('a server without the account’s key is detected', async (t) => {
  const { answer, challenge } = await loginWith()
  const forged = verifierOf({ ...keys, serverKey: wrongKeys.serverKey }, salt, 4_096)
  const signature = verifyClientFinal({ ...challenge, verifier: forged }, answer.clientFinal, h)
  t.is(await codeOf(() => answer.verifyServerFinal(signature ?? '')), 'signature')
  t.is(await codeOf(() => answer.verifyServerFinal(`v=${Buffer.alloc(32).toString('base64')}`)), 'signature')
  t.is(await codeOf(() => answer.verifyServerFinal(bound.server_final)), 'signature')
})

test('e= from the server is a refused login', async (t) => {
  const { answer } = await loginWith()
  t.is(await codeOf(() => answer.verifyServerFinal('e=invalid-proof')), 'proof')
})

test('a recorded login cannot be replayed: the server has a new nonce', async (t) => {
  const recorded = await loginWith()
  const again = createChallenge(readClientFirst(recorded.login.clientFirst), verifier)
  t.is(await codeOf(() => verifyClientFinal(again, recorded.answer.clientFinal, h)), 'nonce')
})

test('a client refuses a nonce that does not extend its own', async (t) => {
  for (const r of ['abc', 'abd%', 'ab', 'xabcdef']) {
    const answer = () => startLogin('user', 'abc').answer(`r=${r},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`, h, () => keys)
    t.is(await codeOf(answer), 'nonce', r)
  }
})

test('no two logins share a nonce', async (t) => {
  const exchanges = await Promise.all(Array.from({ length: 50 }, () => loginWith()))
  t.is(new Set(exchanges.map(({ challenge }) => challenge.nonce)).size, 50)
  t.is(new Set(exchanges.map(({ login }) => login.clientFirst)).size, 50)
})

test('user names with = and , arrive unchanged', (t) => {
  for (const user of ['a,b', 'a=b', '=2C', '=3D2C', ',=,=', 'josé', '张三', '😀', ' a b ']) {
    t.is(readClientFirst(startLogin(user, 'abc').clientFirst).user, user)
  }
  t.is(startLogin('a,b=c', 'abc').clientFirst, 'p=noise-h,,n=a=2Cb=3Dc,r=abc')
})

test('optional extensions are ignored', async (t) => {
  t.is(readClientFirst('p=noise-h,,n=user,r=abc,x=1,y=2').user, 'user')
  const login = startLogin('user', 'abc')
  const challenge = createChallenge(readClientFirst(login.clientFirst), verifier)
  const extended = { ...challenge, serverFirst: `${challenge.serverFirst},x=1` }
  const answer = await login.answer(extended.serverFirst, h, () => keys)
  const serverFinal = verifyClientFinal(extended, answer.clientFinal, h)
  t.notThrows(() => answer.verifyServerFinal(`${serverFinal},x=1`))
})

const hash = Buffer.alloc(32).toString('base64')
const goodSalt = 's=W22ZaJ0SNY7soEsUEjb6gQ=='

const malformedClientFirst = [
  '',
  ',',
  'p=noise-h',
  'p=noise-h,',
  'p=noise-h,,',
  'p=noise-h,n=user,r=abc',
  'p=noise-h,a=admin,n=user,r=abc',
  'P=noise-h,,n=user,r=abc',
  'p=,,n=user,r=abc',
  'p=noise h,,n=user,r=abc',
  'f=x,,n=user,r=abc',
  'n=user,r=abc',
  'p=noise-h,,r=abc,n=user',
  'p=noise-h,,n=user',
  'p=noise-h,,n=,r=abc',
  'p=noise-h,,n=user,r=',
  'p=noise-h,,n=user,r=a b',
  'p=noise-h,,n=user,r=é',
  'p=noise-h,,n=us=er,r=abc',
  'p=noise-h,,n=user=2c,r=abc',
  'p=noise-h,,n==,r=abc',
  'p=noise-h,,m=must,n=user,r=abc',
  'p=noise-h,,n=user,r=abc,m=must',
  'p=noise-h,,n=user,r=abc,r=abc',
  'p=noise-h,,n=user,r=abc,',
  'p=noise-h,,n=user,r=abc,xy=1',
  'p=noise-h,,n=user,r=abc,1=1',
  'p=noise-h,,n=us\0er,r=abc',
  'p=noise-h,,n=\ud800,r=abc',
  `p=noise-h,,n=${'u'.repeat(MAX_TEXT_LENGTH)},r=abc`,
]
const malformedServerFirst = [
  '',
  'r=abcdef',
  `r=abcdef,${goodSalt}`,
  `r=abcdef,i=4096,${goodSalt}`,
  `${goodSalt},r=abcdef,i=4096`,
  `m=must,r=abcdef,${goodSalt},i=4096`,
  `r=abcdef,${goodSalt},i=4096,m=must`,
  `r=abcdef,${goodSalt},i=4096,i=5000`,
  `r=abcdef,${goodSalt},i=04096`,
  `r=abcdef,${goodSalt},i=+4096`,
  `r=abcdef,${goodSalt},i=4096.5`,
  `r=abcdef,${goodSalt},i=1e5`,
  `r=abcdef,${goodSalt},i=0`,
  `r=abcdef,${goodSalt},i=-4096`,
  `r=abcdef,${goodSalt},i=4096 `,
  `r=abc def,${goodSalt},i=4096`,
  'r=abcdef,s=,i=4096',
  'r=abcdef,s=W22ZaJ0SNY7soEsUEjb6gQ,i=4096',
  'r=abcdef,s=W22ZaJ0SNY7soEsUEjb6gR==,i=4096',
  'r=abcdef,s=W22Z aJ0SNY7soEsUEjb6gQ==,i=4096',
  'r=abcdef,s=W22ZaJ0SNY7soEsUEjb6g_==,i=4096',
  `r=abcdef,s=${Buffer.alloc(7).toString('base64')},i=4096`,
  `r=abcdef,s=${Buffer.alloc(65).toString('base64')},i=4096`,
  'e=unknown-user',
  `r=abc${'d'.repeat(MAX_TEXT_LENGTH)},${goodSalt},i=4096`,
]
const malformedClientFinal = [
  '',
  'c=biws',
  'c=biws,r=abc',
  `p=${hash}`,
  `,p=${hash}`,
  `r=abc,c=biws,p=${hash}`,
  `c=biws,r=abc,p=${hash},x=1`,
  `c=biws,r=abc,p=${hash},p=${hash}`,
  `c=biws,r=abc,m=must,p=${hash}`,
  `m=must,c=biws,r=abc,p=${hash}`,
  'c=biws,r=abc,p=',
  'c=biws,r=abc,p=AAAA',
  `c=biws,r=abc,p=${Buffer.alloc(33).toString('base64')}`,
  `c=biws,r=abc,p=${hash.slice(0, -1)}`,
  `c=biws,r=abc\0,p=${hash}`,
  `c=biws,r=abc,x=${'y'.repeat(MAX_TEXT_LENGTH)},p=${hash}`,
]
const malformedServerFinal = [
  '',
  'v',
  'v=',
  'v=AAAA',
  `V=${hash}`,
  `v=${hash} `,
  `v=${hash},m=must`,
  `v=${hash},v=${hash}`,
  `m=must,v=${hash}`,
  `x=1,v=${hash}`,
  `v=${Buffer.alloc(31).toString('base64')}`,
  `v=${hash},x=${'y'.repeat(MAX_TEXT_LENGTH)}`,
]

test('every malformed text is refused as malformed', async (t) => {
  const { challenge, answer } = await loginWith()
  const readers: [string[], (text: string) => unknown][] = [
    [malformedClientFirst, readClientFirst],
    [malformedServerFirst, (text) => startLogin('user', 'abc').answer(text, h, () => keys)],
    [malformedClientFinal, (text) => verifyClientFinal(challenge, text, h)],
    [malformedServerFinal, (text) => answer.verifyServerFinal(text)],
  ]
  for (const [texts, read] of readers) {
    for (const text of texts) t.is(await codeOf(() => read(text)), 'malformed', JSON.stringify(text.slice(0, 80)))
  }
})

test('a client refuses a name or nonce that it cannot send', async (t) => {
  for (const user of ['', 'a\0', '\udc00', 'u'.repeat(MAX_TEXT_LENGTH)]) {
    t.is(await codeOf(() => startLogin(user)), 'malformed')
  }
  for (const nonce of ['', 'a,b', 'a b', 'a\n']) t.is(await codeOf(() => startLogin('user', nonce)), 'malformed')
  t.is(await codeOf(() => createChallenge(readClientFirst(bound.client_first), verifier, '')), 'malformed')
})

/** A mutated text: some characters removed, others inserted. */
function mutationsOf(text: string) {
  const piece = fc.oneof(fc.constantFrom('', ',', '=', 'm=x,', ',p=', '\0', '\ud83d'), fc.string({ unit: 'binary' }))
  const cut = { at: fc.nat(text.length), length: fc.nat(4), piece }
  return fc
    .array(fc.record(cut), { minLength: 1, maxLength: 3 })
    .map((cuts) => cuts.reduce((s, c) => s.slice(0, c.at) + c.piece + s.slice(c.at + c.length), text))
    .filter((mutated) => mutated !== text)
}

test('a mutated text throws only ScramError, and none is accepted', async (t) => {
  const { login, challenge, answer } = await loginWith()
  const serverFinal = verifyClientFinal(challenge, answer.clientFinal, h) ?? ''
  const run = { seed: 5802, numRuns: 2_000 }
  const quietly = async (act: () => unknown) => {
    await codeOf(act)
  }
  await fc.assert(
    fc.asyncProperty(mutationsOf(login.clientFirst), (text) => quietly(() => readClientFirst(text))),
    run,
  )
  await fc.assert(
    fc.asyncProperty(mutationsOf(challenge.serverFirst), (text) => quietly(() => login.answer(text, h, () => keys))),
    run,
  )
  await fc.assert(
    fc.asyncProperty(mutationsOf(answer.clientFinal), (text) =>
      quietly(() => t.is(verifyClientFinal(challenge, text, h), undefined)),
    ),
    run,
  )
  await fc.assert(
    fc.asyncProperty(mutationsOf(serverFinal), async (text) => {
      // The signature does not cover optional extensions at the end.
      if (!text.startsWith(`${serverFinal},`)) t.not(await codeOf(() => answer.verifyServerFinal(text)), undefined)
    }),
    run,
  )
})

test('a client that answers a modified challenge is refused', async (t) => {
  const login = startLogin('user')
  const challenge = createChallenge(readClientFirst(login.clientFirst), verifier)
  const lowered = challenge.serverFirst.replace(/i=.*/, 'i=5000')
  const answer = await login.answer(lowered, h, () => keys)
  t.is(verifyClientFinal(challenge, answer.clientFinal, h), undefined)
})

test('an unknown name gets the same salt each time, of the size of a real one', (t) => {
  const secret = Buffer.alloc(32, 1)
  const shape = { iterations: DEFAULT_ITERATIONS, preHash: '', saltLength: 32 } as const
  const fake = fakeVerifier(secret, 'nobody', shape)
  t.deepEqual(fakeVerifier(secret, 'nobody', shape), fake)
  t.notDeepEqual(fakeVerifier(secret, 'nobody2', shape).salt, fake.salt)
  t.notDeepEqual(fakeVerifier(Buffer.alloc(32, 2), 'nobody', shape).salt, fake.salt)
  // As with a new password: another count comes with another salt.
  t.notDeepEqual(fakeVerifier(secret, 'nobody', { ...shape, iterations: 4_096 }).salt, fake.salt)
  t.deepEqual(shapeOf(fakeVerifier(secret, 'nobody', { ...shape, saltLength: 64 })), { ...shape, saltLength: 64 })
  t.deepEqual(shapeOf(fake), shape)

  const real = verifierOf(keys, joinSalt(Buffer.alloc(16, 3), Buffer.alloc(16, 4)), DEFAULT_ITERATIONS)
  const clientFirst = readClientFirst(bound.client_first)
  t.is(createChallenge(clientFirst, fake).serverFirst.length, createChallenge(clientFirst, real).serverFirst.length)
})

test('an unknown name completes the exchange and is refused like a wrong password', async (t) => {
  const fake = fakeVerifier(Buffer.alloc(32, 1), 'user', shapeOf(verifier))
  const { challenge, answer } = await loginWith(keys, fake)
  t.is(verifyClientFinal(challenge, answer.clientFinal, h), undefined)
})

test('a stored key of the wrong size refuses every login', async (t) => {
  const { challenge, answer } = await loginWith(keys, { ...verifier, storedKey: verifier.storedKey.subarray(0, 31) })
  t.is(verifyClientFinal(challenge, answer.clientFinal, h), undefined)
})

test('the salt of an account is the concatenation of both halves', async (t) => {
  const [client, server] = [Buffer.alloc(16, 1), Buffer.alloc(16, 2)]
  t.deepEqual(joinSalt(client, server), Buffer.concat([client, server]))
  t.is(await codeOf(() => joinSalt(client.subarray(1), server)), 'malformed')
  t.is(await codeOf(() => joinSalt(client, Buffer.alloc(17))), 'malformed')
  t.is(await codeOf(() => deriveKeys('pencil', Buffer.alloc(7), 4_096)), 'malformed')
})

test('passwords are normalised as in RFC 8265', async (t) => {
  const same = ['correct horse battery staple', 'Correct Horse Battery Staple', 'πßå', 'Jack of ♦s', ' pencil ', '👩‍💻']
  for (const password of same) t.is(normalizePassword(password), password)
  t.is(normalizePassword('foo\u1680bar'), 'foo bar')
  t.is(normalizePassword('foo\u00a0\u3000bar'), 'foo  bar')
  t.is(normalizePassword('p\u212bssword'), 'p\u00c5ssword')
  t.is(normalizePassword('re\u0301sume\u0301'), 'r\u00e9sum\u00e9')
  t.is(normalizePassword('\uff21'), '\uff21', 'full width stays')
  for (const password of ['', 'my cat is a \tby', 'a\0b', 'a\u0085b', 'a\x7fb', 'a\ud800b']) {
    t.is(await codeOf(() => normalizePassword(password)), 'password')
  }
})

test('a password has at most 1,024 bytes', async (t) => {
  t.is(normalizePassword('é'.repeat(MAX_PASSWORD_BYTES / 2)).length, MAX_PASSWORD_BYTES / 2)
  t.is(await codeOf(() => normalizePassword(`${'é'.repeat(MAX_PASSWORD_BYTES / 2)}a`)), 'password')
})

test('equivalent encodings of a password log in to the same account', async (t) => {
  t.deepEqual(await deriveKeys('cafe\u0301\u00a0noir', salt, 4_096), await deriveKeys('caf\u00e9 noir', salt, 4_096))
  t.is(await codeOf(() => deriveKeys('', salt, 4_096)), 'password')
})
