/** A list of the API, part by part: the next one is asked for when somebody scrolls near the end. */

import { onScopeDispose, ref, type Ref, shallowRef, type ShallowRef } from 'vue'

import { brokenOff, type Listed } from '../api/ask'

export interface Paged<Row> {
  rows: ShallowRef<readonly Row[]>
  /** There are no more. */
  ended: Ref<boolean>
  loading: Ref<boolean>
  error: ShallowRef<unknown>
  /** Asks for the next part, unless one is on its way. */
  more: () => Promise<void>
  /** Begins anew: other filters. What is there stays until the first part has come. */
  reload: () => Promise<void>
}

export type LoadPart<Row> = (after: string | null, signal: AbortSignal) => Promise<Listed<Row>>

export function usePaged<Row>(load: LoadPart<Row>): Paged<Row> {
  const rows = shallowRef<readonly Row[]>([])
  const ended = ref(false)
  const loading = ref(false)
  const error = shallowRef<unknown>(null)
  let next: string | null = null
  let breaker = new AbortController()

  async function part(fresh: boolean): Promise<void> {
    const mine = breaker
    loading.value = true
    try {
      const got = await load(fresh ? null : next, mine.signal)
      if (mine.signal.aborted) return
      rows.value = fresh ? got.items : [...rows.value, ...got.items]
      next = got.next
      ended.value = next === null
      error.value = null
    } catch (failed) {
      if (!mine.signal.aborted && !brokenOff(failed)) error.value = failed
    } finally {
      if (breaker === mine) loading.value = false
    }
  }

  async function more(): Promise<void> {
    if (!loading.value && !ended.value) await part(rows.value.length === 0)
  }

  async function reload(): Promise<void> {
    breaker.abort()
    breaker = new AbortController()
    next = null
    ended.value = false
    await part(true)
  }

  onScopeDispose(() => breaker.abort())
  return { rows, ended, loading, error, more, reload }
}
