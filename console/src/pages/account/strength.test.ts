import { describe, expect, it } from 'vitest'

import { strong } from './strength'

describe('a password', () => {
  it.each(['Sh0rt!', 'wang.min-2026-X', 'aaaaaaaaaaaaaaaaaaaa', 'onlysmallletter', '12345678901234', ''])(
    'is too weak: %s',
    (password) => {
      expect(strong(password, 'wang.min')).toBe(false)
    },
  )

  it.each(['Correct-horse-7', 'four words make one', '一二三四五六七八九十甲乙丙丁戊己'])('is good: %s', (password) => {
    expect(strong(password, 'wang.min')).toBe(true)
  })
})
