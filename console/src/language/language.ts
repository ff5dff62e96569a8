/** The language that is shown. Chinese first; what a person chose is kept in this browser. */

import { computed, type ComputedRef, readonly, shallowRef } from 'vue'

import { en, type Words, zh } from './tables'

export type Language = 'zh' | 'en'

const KEY = 'gridhub.language'
const TABLES: Record<Language, Words> = { zh, en }
const TAGS: Record<Language, string> = { zh: 'zh-CN', en: 'en' }

const chosen = shallowRef<Language>(localStorage.getItem(KEY) === 'en' ? 'en' : 'zh')
document.documentElement.lang = TAGS[chosen.value]

export const language = readonly(chosen)

export function speak(wanted: Language): void {
  chosen.value = wanted
  localStorage.setItem(KEY, wanted)
  document.documentElement.lang = TAGS[wanted]
}

/** All words in the language shown, for code outside of components. */
export const words: ComputedRef<Words> = computed(() => TABLES[chosen.value])

/** The words of a page, or the shared ones: `const said = useWords('cockpit')`, in the template `{{ said.title }}`. */
export function useWords<Part extends keyof Words>(part: Part): ComputedRef<Words[Part]> {
  return computed(() => words.value[part])
}

/** A text with its gaps filled: fill('还剩 {span}', { span: '2 小时' }). A gap without a value stays as it is. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (gap, name: string) => String(values[name] ?? gap))
}
