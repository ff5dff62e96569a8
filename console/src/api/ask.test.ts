import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { effectScope, nextTick } from 'vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { address, ApiError, ask, whenUnknown } from './ask'
import { useAsked } from './useAsked'

let server: Server
let answer: (request: IncomingMessage, response: ServerResponse) => void
let asked: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[]

/** A hub that answers what a test wants, on a real socket of the page's own origin. */
beforeEach(async () => {
  asked = []
  server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      asked.push({ method, url, headers, body: Buffer.concat(parts).toString() })
      answer(request, response)
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  ;(window as unknown as { happyDOM: { setURL: (url: string) => void } }).happyDOM.setURL(`http://127.0.0.1:${port}/console/`)
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((closed) => server.close(closed))
  whenUnknown(() => undefined)
})

const says = (status: number, body: unknown) => (_: IncomingMessage, response: ServerResponse) => {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}

describe('asking', () => {
  it('gives the answer, and leaves out what is empty', async () => {
    answer = says(200, { items: [1], next: null })

    expect(await ask('/api/cases', { query: { q: '占道 经营', stage: '', after: null, unit: ['a', 'b'] } })).toEqual({
      items: [1],
      next: null,
    })
    expect(asked[0]?.url).toBe('/api/cases?q=%E5%8D%A0%E9%81%93+%E7%BB%8F%E8%90%A5&unit=a&unit=b')
    expect(asked[0]?.headers['x-gridhub']).toBeUndefined()
  })

  it('shows with what changes something that it is the console', async () => {
    answer = says(200, {})
    await ask('/api/cases/1/actions', { method: 'POST', body: { kind: 'urge' } })

    expect(asked[0]?.headers['x-gridhub']).toBe('console')
    expect(asked[0]?.body).toBe('{"kind":"urge"}')
  })

  it('tells the words of the hub', async () => {
    answer = says(409, { error: { code: 'not_allowed', text: '案件已结案', hint: '先申请重办' } })

    const refused = await ask('/api/x', { method: 'POST' }).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(ApiError)
    expect(refused).toMatchObject({ status: 409, code: 'not_allowed', text: '案件已结案', hint: '先申请重办' })
    expect(asked).toHaveLength(1)
  })

  it('has words for an answer that nobody can read, and for no answer', async () => {
    answer = says(502, '<html>Bad gateway</html>')
    await expect(ask('/api/x')).rejects.toMatchObject({ status: 502, code: 'strange' })

    answer = (request) => request.socket.destroy()
    await expect(ask('/api/x', { method: 'POST' })).rejects.toMatchObject({ status: 0, code: 'unreachable' })
    expect(asked.filter((one) => one.method === 'POST')).toHaveLength(1) // never sent twice
  })

  it('tells whoever wants to know that nobody is signed in, except for the question itself', async () => {
    const told = vi.fn()
    whenUnknown(told)
    answer = says(401, { error: { code: 'unauthenticated', text: 'x' } })
    await ask('/api/session').catch(() => undefined)
    expect(told).not.toHaveBeenCalled()

    await ask('/api/cases').catch(() => undefined)
    expect(told).toHaveBeenCalledOnce()
  })

  it('makes addresses that survive any text', () => {
    expect(address('/api/cases', { q: 'a&b=c#d' })).toBe('/api/cases?q=a%26b%3Dc%23d')
  })
})

describe('what a page asks', () => {
  it('is broken off when the page goes', async () => {
    const broken = new Promise((closed) => (answer = (request) => request.socket.on('close', closed)))
    const page = effectScope()
    const { error } = page.run(() => useAsked((signal) => ask('/api/slow', { signal }))) ?? {}
    await vi.waitFor(() => expect(asked).toHaveLength(1))

    page.stop()
    await broken
    expect(error?.value).toBeNull()
  })

  it('keeps its answer when a later look fails, and forgets the error when it works again', async () => {
    answer = says(200, 1)
    const page = effectScope()
    const got = page.run(() => useAsked<number>((signal) => ask('/api/n', { signal })))
    await vi.waitFor(() => expect(got?.answer.value).toBe(1))

    answer = says(500, { error: { text: '坏了' } })
    await got?.again()
    expect(got?.answer.value).toBe(1)
    expect(got?.error.value).toMatchObject({ text: '坏了' })

    answer = says(200, 2)
    await got?.again()
    expect([got?.answer.value, got?.error.value]).toEqual([2, null])
    page.stop()
    await nextTick()
  })
})
