/** What a password must be like, as gateway/people/password.py has it: told while it is typed. The hub decides. */

export const SHORTEST = 10
export const LONG = 16
const KINDS = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/]
const ENOUGH_KINDS = 3

export type Rule = 'long' | 'kinds' | 'noLogin' | 'varied'

/** Each rule, and whether the password keeps it. */
export function strength(password: string, login: string): Record<Rule, boolean> {
  const letters = Array.from(password)
  return {
    long: letters.length >= SHORTEST,
    kinds: letters.length >= LONG || KINDS.filter((kind) => kind.test(password)).length >= ENOUGH_KINDS,
    noLogin: password !== '' && !password.toLowerCase().includes(login.toLowerCase()),
    varied: new Set(letters).size >= SHORTEST / 2,
  }
}

export function strong(password: string, login: string): boolean {
  return Object.values(strength(password, login)).every(Boolean)
}
