import { describe, expect, it } from 'vitest'

import { ago, brief, clock, day, number, percent, remaining, span, time } from './form'
import { fill, language, speak, useWords } from './language'
import { en, zh } from './tables'

function texts(part: object): string[] {
  return Object.values(part).flatMap((one: unknown) => (typeof one === 'string' ? [one] : texts(one as object)))
}

const gaps = (text: string): string[] => [...text.matchAll(/\{\w+\}/g)].map(([gap]) => gap).sort()

describe('the language', () => {
  it('is Chinese first, changes at once, and is kept', () => {
    const said = useWords('cases')
    expect([language.value, said.value.title, document.documentElement.lang]).toEqual(['zh', '案件', 'zh-CN'])

    speak('en')
    expect([said.value.title, document.documentElement.lang]).toEqual(['Cases', 'en'])
    expect(localStorage.getItem('gridhub.language')).toBe('en')
  })

  it('has no text that is empty, and the same gaps in both', () => {
    const both = [texts(zh), texts(en)] as const
    expect(both[0].filter((text) => text === '')).toEqual([])
    expect(both[1].filter((text) => text === '')).toEqual([])
    both[0].forEach((text, index) => {
      expect([text, gaps(both[1][index] ?? '')]).toEqual([text, gaps(text)])
    })
  })

  it('leaves a gap that nobody fills', () => {
    expect(fill('{a} 和 {b}', { a: 1 })).toBe('1 和 {b}')
  })
})

describe('times', () => {
  it('are those of Shanghai, wherever the browser is', () => {
    expect(new Date(2026, 0, 1).getTimezoneOffset()).not.toBe(-480) // this machine is elsewhere
    expect(time('2026-03-15T16:30:05Z', true)).toBe('2026-03-16 00:30:05')
    expect([day('2025-12-31T23:59:59+08:00'), clock('2026-03-16T00:00:00+08:00')]).toEqual(['2025-12-31', '00:00'])
    expect(brief('2025-12-31T16:30:00Z', '2026-03-16T00:00:00+08:00')).toBe('01-01 00:30')
    expect(brief('2025-12-31T15:30:00Z', '2026-03-16T00:00:00+08:00')).toBe('2025-12-31 23:30')
  })

  it('are spans of two units', () => {
    expect([span(0), span(59), span(61), span(2 * 3600 + 300 + 7), span(86_400), span(90_061)]).toEqual([
      '0 秒', '59 秒', '1 分 1 秒', '2 小时 5 分', '1 天', '1 天 1 小时',
    ])
    expect([remaining(7500), remaining(-7500)]).toEqual(['还剩 2 小时 5 分', '超时 2 小时 5 分'])
    expect(ago('2026-03-16T08:00:00+08:00', '2026-03-16T08:05:00+08:00')).toBe('5 分前')
    speak('en')
    expect(remaining(7500)).toBe('2 h 5 min left')
  })
})

it('numbers are grouped', () => {
  expect([number(1234567), number(1.25, 1), percent(0.9356)]).toEqual(['1,234,567', '1.3', '93.6%'])
})
