// npm's jose, as a resource server would use it. Which algorithms may be used is left to the published keys to say.
import { readFileSync } from 'node:fs'
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'

const { jwks, issuer, cases } = JSON.parse(readFileSync(0, 'utf8'))
const keys = createRemoteJWKSet(new URL(jwks))

async function verify({ token, audience }) {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys, { issuer, audience, typ: 'at+jwt' })
    return { alg: protectedHeader.alg, kid: protectedHeader.kid, claims: payload }
  } catch (error) {
    if (error instanceof errors.JOSEError) return { refused: error.code }
    throw error
  }
}

const answers = []
for (const one of cases) answers.push(await verify(one))
console.log(JSON.stringify(answers))
