/** The lifecycle table of the hub: asked once, as it does not change while the hub runs. */

import { shallowRef, type ShallowRef } from 'vue'

import { ask } from '../../api/ask'
import type { LifecycleRow } from './fields'

const rows = shallowRef<readonly LifecycleRow[]>([])
let asking = false

export function useLifecycle(): ShallowRef<readonly LifecycleRow[]> {
  if (rows.value.length === 0 && !asking) {
    asking = true
    ask<LifecycleRow[]>('/api/lifecycle')
      .then((found) => (rows.value = found))
      .catch(() => undefined) // without it no action is offered; the next page asks again
      .finally(() => (asking = false))
  }
  return rows
}
