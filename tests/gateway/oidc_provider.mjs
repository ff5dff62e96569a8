// A real provider of OpenID Connect on the loopback: the certified oidc-provider of npm, with a page to sign in at.
// Tests say who is in which group, and which fault its tokens are to have.
//
//   node oidc_provider.mjs FOLDER REDIRECT    FOLDER: where node_modules is; prints its issuer and ends with its stdin
import { createServer } from 'node:http'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder, redirect] = process.argv.slice(2)
const load = (file) => import(pathToFileURL(join(folder, 'node_modules', file)).href)
const { default: Provider } = await load('oidc-provider/lib/index.js')
const { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, decodeJwt } = await load('jose/dist/webapi/index.js')

const SECRET = 'a/secret+of=the city'
const own = await generateKeyPair('RS256', { extractable: true })
const foreign = await generateKeyPair('RS256', { extractable: true })
const jwk = { ...(await exportJWK(own.privateKey)), kid: 'own', alg: 'RS256', use: 'sig' }
const people = new Map()
let fault = ''

const signed = (claims, key = own.privateKey, alg = 'RS256') =>
  new SignJWT(claims).setProtectedHeader({ alg, kid: 'own' }).sign(key)
const FAULTS = {
  nonce: (claims) => signed({ ...claims, nonce: 'of somebody else' }),
  'no nonce': ({ nonce, ...claims }) => signed(claims),
  issuer: (claims) => signed({ ...claims, iss: 'http://127.0.0.1:9' }),
  audience: (claims) => signed({ ...claims, aud: 'another-client' }),
  expired: (claims) => signed({ ...claims, exp: claims.iat - 3600 }),
  'no expiry': ({ exp, ...claims }) => signed(claims),
  'no subject': ({ sub, ...claims }) => signed(claims),
  'foreign key': (claims) => signed(claims, foreign.privateKey),
  symmetric: (claims) => signed(claims, new TextEncoder().encode(SECRET), 'HS256'),
  unsigned: (claims) => new UnsecuredJWT(claims).encode(),
  'no token': () => 'not.a.token',
}

const server = createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const issuer = `http://127.0.0.1:${server.address().port}`
const provider = new Provider(issuer, {
  clients: [{ client_id: 'gridhub', client_secret: SECRET, redirect_uris: [redirect] }],
  jwks: { keys: [jwk] },
  cookies: { keys: ['of the tests'], long: { sameSite: 'lax' }, short: { sameSite: 'lax' } },
  pkce: { required: () => true },
  claims: { openid: ['sub'], profile: ['name', 'preferred_username', 'groups'] },
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/login/${interaction.uid}` },
  ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 600, Interaction: 600, Session: 600, Grant: 600 },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: `s-${id}`, preferred_username: id, name: `示例${id}`, groups: [], ...people.get(id) }),
  }),
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({ clientId: 'gridhub', accountId: ctx.oidc.session.accountId })
    grant.addOIDCScope('openid profile')
    await grant.save()
    return grant
  },
})

async function bodyOf(ctx) {
  const parts = []
  for await (const part of ctx.req) parts.push(part)
  return Buffer.concat(parts).toString()
}

provider.use(async (ctx, next) => {
  if (ctx.path === '/_told') {
    const told = JSON.parse(await bodyOf(ctx))
    fault = told.fault ?? fault
    for (const [id, claims] of Object.entries(told.people ?? {})) people.set(id, claims)
    ctx.body = {}
  } else if (ctx.path.startsWith('/login/') && ctx.method === 'GET') {
    ctx.type = 'html'
    ctx.body = `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>City provider</title><h1>City provider</h1>
      <form method="post"><label>Who <input name="who" autofocus></label><button>Go</button></form></html>`
  } else if (ctx.path.startsWith('/login/')) {
    const accountId = new URLSearchParams(await bodyOf(ctx)).get('who')
    await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId } })
    ctx.respond = false
  } else {
    await next()
    if (ctx.path === '/token' && FAULTS[fault] && ctx.body.id_token)
      ctx.body = { ...ctx.body, id_token: await FAULTS[fault](decodeJwt(ctx.body.id_token)) }
  }
})

server.on('request', provider.callback())
process.stdout.write(`${JSON.stringify({ issuer, secret: SECRET, faults: Object.keys(FAULTS) })}\n`)
process.stdin.resume().on('end', () => process.exit(0))
