/** Doing something to a case: sends the order, keeps what was typed when it is refused, and says what changed meanwhile. */

import { shallowRef, type ShallowRef } from 'vue'

import { ApiError, ask, brokenOff, inWords } from '../../api/ask'
import type { CaseEvent, CaseView } from '../journey'

export interface Acting {
  doing: ShallowRef<boolean>
  failed: ShallowRef<{ text: string; hint: string } | null>
  /** What happened to the case since the form was opened; null: nobody refused because of that. */
  meanwhile: ShallowRef<readonly CaseEvent[] | null>
  /** True when it is done. `view`: the case as whoever orders knows it. */
  act: (view: CaseView, body: Record<string, unknown>) => Promise<boolean>
  forget: () => void
}

const CONFLICT = 409

export function useActing(): Acting {
  const doing = shallowRef(false)
  const failed = shallowRef<{ text: string; hint: string } | null>(null)
  const meanwhile = shallowRef<readonly CaseEvent[] | null>(null)

  function forget(): void {
    failed.value = null
    meanwhile.value = null
  }

  async function act(view: CaseView, body: Record<string, unknown>): Promise<boolean> {
    if (doing.value) return false
    doing.value = true
    forget()
    const path = `/api/cases/${encodeURIComponent(view.no)}`
    try {
      await ask(`${path}/actions`, { method: 'POST', body })
      return true
    } catch (error) {
      if (!brokenOff(error)) failed.value = inWords(error)
      if (error instanceof ApiError && error.status === CONFLICT) {
        const now = await ask<CaseView>(path).catch(() => null)
        meanwhile.value = now?.events.filter((event) => event.seq > view.version) ?? null
      }
      return false
    } finally {
      doing.value = false
    }
  }

  return { doing, failed, meanwhile, act, forget }
}
