/** The same done to many cases, one after the other: each has its own outcome, and it can be stopped between two. */

import { computed, type ComputedRef, shallowRef, type ShallowRef } from 'vue'

import { ask, inWords } from '../../api/ask'

export interface Item {
  no: string
  title: string
}

export type State = 'waiting' | 'doing' | 'done' | 'failed'

export interface Outcome extends Item {
  state: State
  /** What the hub said no with. */
  text: string
}

export interface Bulk {
  outcomes: ShallowRef<readonly Outcome[]>
  running: ShallowRef<boolean>
  good: ComputedRef<number>
  bad: ComputedRef<number>
  /** Does it; ends when all are tried or somebody stopped it. */
  run: (items: readonly Item[], body: (item: Item) => Record<string, unknown>) => Promise<void>
  stop: () => void
  forget: () => void
}

/** `act` does one of them; another one is given by tests. */
export function useBulk(act: (no: string, body: Record<string, unknown>) => Promise<unknown> = order): Bulk {
  const outcomes = shallowRef<readonly Outcome[]>([])
  const running = shallowRef(false)
  let breaker = new AbortController()

  function become(no: string, state: State, text = ''): void {
    outcomes.value = outcomes.value.map((one) => (one.no === no ? { ...one, state, text } : one))
  }

  async function run(items: readonly Item[], body: (item: Item) => Record<string, unknown>): Promise<void> {
    if (running.value) return
    running.value = true
    const mine = (breaker = new AbortController())
    outcomes.value = items.map((item) => ({ ...item, state: 'waiting', text: '' }))
    for (const item of items) {
      if (mine.signal.aborted) break
      become(item.no, 'doing')
      try {
        await act(item.no, body(item))
        become(item.no, 'done')
      } catch (error) {
        const { text, hint } = inWords(error)
        become(item.no, 'failed', `${text} ${hint}`.trim())
      }
    }
    running.value = false
  }

  return {
    outcomes, running, run,
    good: computed(() => outcomes.value.filter((one) => one.state === 'done').length),
    bad: computed(() => outcomes.value.filter((one) => one.state === 'failed').length),
    stop: () => breaker.abort(),
    forget: () => (outcomes.value = []),
  }
}

async function order(no: string, body: Record<string, unknown>): Promise<void> {
  await ask(`/api/cases/${encodeURIComponent(no)}/actions`, { method: 'POST', body })
}
