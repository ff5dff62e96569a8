/** Who is signed in, and what they may do. */

import { computed, readonly, shallowRef } from 'vue'

import { ApiError, ask } from '../api/ask'

/** What may be done; the hub's table is canonical/rights.py. */
export type Right =
  | 'see'
  | 'act'
  | 'appeal'
  | 'watch'
  | 'operate'
  | 'assess'
  | 'raw'
  | 'reveal'
  | 'audit'
  | 'administer'

const EVERY: Right[] = ['see', 'act', 'appeal', 'watch', 'operate', 'assess', 'raw', 'reveal', 'audit', 'administer']

export interface Person {
  login: string
  name: string
  role: string
  role_title: string
  rights: Right[]
  scope: { areas: string[]; classes: string[]; systems: string[]; units: string[] }
}

export interface City {
  name: string
  code: string
}

interface Session {
  person: Person
  city: City
}

export interface SignInWays {
  city: City
  oidc: { id: string; title: string; url: string }[]
}

const present = shallowRef<Session | null>(null)

export const person = computed(() => present.value?.person ?? null)
export const city = computed(() => present.value?.city ?? null)
export const session = readonly(present)

export function may(right: Right | null): boolean {
  return right === null || (person.value?.rights.includes(right) ?? false)
}

/** Asks who is signed in. False when nobody is. */
export async function recall(): Promise<boolean> {
  try {
    present.value = await ask<Session>('/api/session')
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) present.value = null
    else if (error instanceof ApiError && error.status === 404) present.value = await centre()
    else throw error
  }
  return present.value !== null
}

/** A hub that has no people yet: whoever gets an answer has shown the centre's token. */
async function centre(): Promise<Session> {
  const health = await ask<{ city: string }>('/api/health')
  return {
    person: {
      login: 'centre', name: 'centre', role: '', role_title: '', rights: EVERY,
      scope: { areas: [], classes: [], systems: [], units: [] },
    },
    city: { name: health.city, code: '' },
  }
}

/** Raises ApiError: 401 when it is wrong, with the code `code_wanted` when a one-time code is asked for. */
export async function signIn(login: string, password: string, code: string): Promise<void> {
  const body = code === '' ? { login, password } : { login, password, code }
  await ask('/api/session', { method: 'POST', body })
  await recall()
}

export async function signOut(): Promise<void> {
  await ask('/api/session', { method: 'DELETE' })
  present.value = null
}

/** The session ended elsewhere. */
export function forget(): void {
  present.value = null
}
