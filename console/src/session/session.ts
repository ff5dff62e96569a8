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

export interface Person {
  login: string
  name: string
  role: string
  role_title: string
  rights: Right[]
  scope: { areas: string[]; classes: string[]; systems: string[]; units: string[] }
  /** One-time codes are on. */
  codes: boolean
  /** What must be done before anything else: a new password, one-time codes. Until then there are no rights. */
  owed: string[]
  /** How they signed in. */
  way: string
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
  city: string
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
    else throw error
  }
  return present.value !== null
}

/** Raises ApiError: 401 when it is wrong, with the code `code_needed` when a one-time code is asked for. */
export async function signIn(login: string, password: string, code: string): Promise<void> {
  const body = code === '' ? { login, password } : { login, password, code }
  present.value = await ask<Session>('/api/session', { method: 'POST', body })
  over.value = false
}

export async function signOut(): Promise<void> {
  await ask('/api/session', { method: 'DELETE' })
  present.value = null
}

const over = shallowRef(false)

/** The session ended while somebody worked: what they see stays, until they sign in again. */
export const ended = readonly(over)

export function endedInTheMiddle(): void {
  over.value = true
}

/** The session ended elsewhere. */
export function forget(): void {
  present.value = null
}
