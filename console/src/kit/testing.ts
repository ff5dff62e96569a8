/** What every component test starts from. */

import { afterEach, beforeEach } from 'vitest'

import { speak } from '../language/language'

beforeEach(() => {
  localStorage.clear()
  speak('zh')
})

afterEach(() => {
  document.body.innerHTML = ''
})
