/** Light, dark, or wall: dark without the frame, and with type that is read from across the room. */

import { computed, readonly, shallowRef } from 'vue'

export const THEMES = ['light', 'dark', 'wall'] as const
export type Theme = (typeof THEMES)[number]

const KEY = 'gridhub.theme'

function kept(): Theme {
  const found = localStorage.getItem(KEY)
  return THEMES.find((one) => one === found) ?? 'light'
}

const chosen = shallowRef<Theme>(kept())
/** What was shown before the wall: where Escape leads. */
let before: Theme = 'light'

function put(): void {
  const root = document.documentElement
  root.dataset.theme = chosen.value
  root.classList.toggle('dark', chosen.value !== 'light')
}

put()

export const theme = readonly(chosen)
export const wall = computed(() => chosen.value === 'wall')
export const dark = computed(() => chosen.value !== 'light')

export function look(wanted: Theme): void {
  if (chosen.value !== 'wall') before = chosen.value
  chosen.value = wanted
  localStorage.setItem(KEY, wanted)
  put()
}

export function leaveWall(): void {
  if (wall.value) look(before)
}
