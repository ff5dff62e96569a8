/** The one way to ask the hub. Same origin, typed errors with words for people, and no unsafe request sent twice. */

import { words, fill } from '../language/language'

export type Query = Record<string, string | number | boolean | null | undefined | readonly string[]>

export interface Asking {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  query?: Query
  body?: unknown
  /** Breaks the request off when the page is left: see useAsking. */
  signal?: AbortSignal
}

/** What the hub, or the way to it, said no with. `text` and `hint` are shown as they are. */
export class ApiError extends Error {
  override readonly name = 'ApiError'

  constructor(
    readonly status: number,
    readonly code: string,
    readonly text: string,
    readonly hint: string,
    /** Seconds after which it may be tried again; 0: trying again changes nothing. */
    readonly retryAfter = 0,
  ) {
    super(text)
  }
}

/** A part of a list, and where the next one begins. */
export interface Listed<Row> {
  items: Row[]
  next: string | null
}

const SAFE = new Set(['GET'])
let unknown: (path: string) => void = () => undefined

/** Who is told that nobody is signed in any more. */
export function whenUnknown(told: (path: string) => void): void {
  unknown = told
}

export function address(path: string, query: Query = {}): string {
  const values = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === '') continue
    for (const one of typeof value === 'object' ? value : [value]) values.append(name, String(one))
  }
  const text = values.toString()
  return text === '' ? path : `${path}?${text}`
}

/** What the hub answers at a path below /api. Raises ApiError; a request that was broken off raises AbortError. */
export async function ask<T>(path: string, asking: Asking = {}): Promise<T> {
  const method = asking.method ?? 'GET'
  const headers: Record<string, string> = { accept: 'application/json' }
  if (!SAFE.has(method)) headers['X-Gridhub'] = 'console'
  if (asking.body !== undefined) headers['content-type'] = 'application/json'
  let response: Response
  try {
    response = await fetch(address(path, asking.query), {
      method,
      headers,
      credentials: 'same-origin',
      cache: 'no-store',
      ...(asking.body === undefined ? {} : { body: JSON.stringify(asking.body) }),
      ...(asking.signal ? { signal: asking.signal } : {}),
    })
  } catch (error) {
    if (asking.signal?.aborted) throw error
    const said = words.value.shared.errors
    throw new ApiError(0, 'unreachable', said.network, said.networkHint)
  }
  if (!response.ok) throw await refusal(response, path)
  return (response.status === 204 ? undefined : await response.json()) as T
}

async function refusal(response: Response, path: string): Promise<ApiError> {
  if (response.status === 401 && path !== '/api/session') unknown(path)
  const body: unknown = await response.json().catch(() => null)
  const { error } = (body ?? {}) as { error?: { code?: string; text?: string; hint?: string } }
  if (error?.text !== undefined)
    return new ApiError(
      response.status,
      error.code ?? '',
      error.text,
      error.hint ?? '',
      Number(response.headers.get('retry-after') ?? 0),
    )
  const said = words.value.shared.errors
  return new ApiError(response.status, 'strange', fill(said.strange, { status: response.status }), said.strangeHint)
}

/** An error in words, whatever it is. */
export function inWords(error: unknown): { text: string; hint: string } {
  if (error instanceof ApiError) {
    const known = words.value.shared.errors.known as Record<string, string>
    const ours = known[error.code] // the hub speaks English; what happens daily is said in both languages
    return ours === undefined ? { text: error.text, hint: error.hint } : { text: ours, hint: error.text }
  }
  return { text: words.value.shared.states.failed, hint: error instanceof Error ? error.message : '' }
}

export function brokenOff(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}
