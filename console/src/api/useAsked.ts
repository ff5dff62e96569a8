/** What a page asks for when it opens: the answer, the error in words, whether it is being asked. */

import { onScopeDispose, ref, type Ref, shallowRef, type ShallowRef } from 'vue'

import { brokenOff } from './ask'

export interface Asked<T> {
  /** The last answer; stays while it is asked again, so that nothing flickers. */
  answer: ShallowRef<T | null>
  error: ShallowRef<unknown>
  loading: Ref<boolean>
  /** Ask (again). What was being asked is broken off. */
  again: () => Promise<void>
}

/** Asks at once and whenever `again` is called; breaks off when the component goes. */
export function useAsked<T>(asking: (signal: AbortSignal) => Promise<T>, options: { later?: boolean } = {}): Asked<T> {
  const answer = shallowRef<T | null>(null)
  const error = shallowRef<unknown>(null)
  const loading = ref(false)
  let breaker = new AbortController()

  async function again(): Promise<void> {
    breaker.abort()
    const mine = (breaker = new AbortController())
    loading.value = true
    try {
      const got = await asking(mine.signal)
      if (mine.signal.aborted) return
      answer.value = got
      error.value = null
    } catch (failed) {
      if (!mine.signal.aborted && !brokenOff(failed)) error.value = failed
    } finally {
      if (breaker === mine) loading.value = false
    }
  }

  onScopeDispose(() => breaker.abort())
  if (options.later !== true) void again()
  return { answer, error, loading, again }
}
