/** How numbers, times and spans are written. Times are those of Asia/Shanghai, whatever zone the browser is in. */

import { fill, language, words } from './language'

const ZONE = 'Asia/Shanghai'
const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const PARTS = new Intl.DateTimeFormat('en-CA', {
  timeZone: ZONE, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit',
  minute: '2-digit', second: '2-digit',
})

export type Instant = string | number | Date

function parts(at: Instant): Record<string, string> {
  const found = PARTS.formatToParts(new Date(at)).map((part) => [part.type, part.value] as const)
  return Object.fromEntries(found)
}

/** 2026-11-29 14:05; with seconds where they matter. */
export function time(at: Instant, seconds = false): string {
  return `${day(at)} ${clock(at, seconds)}`
}

/** 2026-11-29 */
export function day(at: Instant): string {
  const { year, month, day } = parts(at)
  return `${year ?? ''}-${month ?? ''}-${day ?? ''}`
}

/** 14:05, or 14:05:09 */
export function clock(at: Instant, seconds = false): string {
  const { hour, minute, second } = parts(at)
  return `${hour ?? ''}:${minute ?? ''}${seconds ? `:${second ?? ''}` : ''}`
}

/** 11-29 14:05 of this year, with the year of another one. */
export function brief(at: Instant, now: Instant): string {
  return parts(at).year === parts(now).year ? time(at).slice(5) : time(at)
}

/** 1,234 */
export function number(value: number, digits = 0): string {
  const form = { minimumFractionDigits: digits, maximumFractionDigits: digits }
  return new Intl.NumberFormat(language.value === 'zh' ? 'zh-CN' : 'en', form).format(value)
}

/** 93.5 % of 0.935. */
export function percent(share: number, digits = 1): string {
  return `${number(share * 100, digits)}%`
}

/** 2 小时 5 分: the two greatest units of so many seconds, without a sign. */
export function span(seconds: number): string {
  const unit = words.value.shared.units
  const whole = Math.floor(Math.abs(seconds))
  const steps: readonly [number, number, string][] = [
    [Math.floor(whole / DAY), DAY, unit.days],
    [Math.floor((whole % DAY) / HOUR), HOUR, unit.hours],
    [Math.floor((whole % HOUR) / MINUTE), MINUTE, unit.minutes],
    [whole % MINUTE, 1, unit.seconds],
  ]
  const first = steps.findIndex(([count]) => count > 0)
  if (first < 0) return `0 ${unit.seconds}`
  const two = steps.slice(first, first + 2).filter(([count]) => count > 0)
  return two.map(([count, , name]) => `${count} ${name}`).join(unit.between)
}

/** 还剩 2 小时 5 分, or 超时 3 天. */
export function remaining(seconds: number): string {
  return fill(seconds < 0 ? words.value.shared.late : words.value.shared.left, { span: span(seconds) })
}

/** 5 分前. */
export function ago(at: Instant, now: Instant): string {
  const seconds = (new Date(now).getTime() - new Date(at).getTime()) / 1000
  return seconds < 2 ? words.value.shared.justNow : fill(words.value.shared.ago, { span: span(seconds) })
}
