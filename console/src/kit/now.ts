/** The present, as one ticking value for all who show something that runs. Ticks only while somebody looks. */

import { onScopeDispose, readonly, ref, type Ref } from 'vue'

const present = ref(Date.now())
let watchers = 0
let ticking: ReturnType<typeof setInterval> | undefined

/** Milliseconds, renewed each second. */
export function now(): Readonly<Ref<number>> {
  if (watchers++ === 0) {
    present.value = Date.now()
    ticking = setInterval(() => (present.value = Date.now()), 1000)
  }
  onScopeDispose(() => {
    if (--watchers === 0) clearInterval(ticking)
  })
  return readonly(present)
}
