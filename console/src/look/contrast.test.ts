import { readFileSync } from 'node:fs'

import { describe, expect, it } from 'vitest'

const sheet = readFileSync('src/look/tokens.css', 'utf8')

function tokens(selector: string): Record<string, string> {
  const from = sheet.indexOf(`\n${selector} {`)
  const block = sheet.slice(from, sheet.indexOf('\n}', from))
  return Object.fromEntries([...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{3,6});/g)].map(([, name, value]) => [name, value]))
}

const light = tokens(':root')
const THEMES = { light, dark: { ...light, ...tokens(':root.dark') } }

function luminance(colour: string): number {
  const digits = colour.length === 4 ? colour.slice(1).replace(/./g, '$&$&') : colour.slice(1)
  const [red = 0, green = 0, blue = 0] = [0, 2, 4]
    .map((at) => parseInt(digits.slice(at, at + 2), 16) / 255)
    .map((share) => (share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4))
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function contrast(one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (high + 0.05) / (low + 0.05)
}

/** Which texts stand on which grounds. */
const GROUNDS = ['ground', 'surface', 'raised', 'sunken', 'hover']
const STANDS: [string[], string[]][] = [
  [['text', 'text-soft', 'text-faint', 'accent', 'good', 'warn', 'bad', 'quiet'], GROUNDS],
  [['step-intake', 'step-work', 'step-check', 'step-done', 'step-out'], GROUNDS],
  [['text', 'text-soft', 'accent', 'accent-strong'], ['accent-ground']],
  [['on-accent'], ['accent', 'accent-strong', 'good', 'bad', 'warn', 'quiet']],
  [['good'], ['good-ground']],
  [['warn'], ['warn-ground']],
  [['bad'], ['bad-ground']],
  [['quiet'], ['quiet-ground']],
  [['bar-text', 'bar-soft', 'bar-good', 'bar-warn'], ['bar', 'bar-field']],
]
/** Lines of fields and series of charts: 3 to 1. */
const SHAPES: [string[], string[]][] = [
  [['line-strong', 'ring', 'series-1', 'series-2', 'series-3', 'series-4', 'series-5', 'series-6'], ['surface', 'ground']],
]

describe.each(Object.entries(THEMES))('in the %s look', (_, known) => {
  const low = (stands: [string[], string[]][], least: number): string[] =>
    stands.flatMap(([texts, grounds]) =>
      texts.flatMap((text) =>
        grounds
          .map((ground) => [ground, contrast(known[text] ?? '', known[ground] ?? '')] as const)
          .filter(([, found]) => !(found >= least))
          .map(([ground, found]) => `${text} on ${ground}: ${found.toFixed(2)}`),
      ),
    )

  it('every text is read on its ground', () => expect(low(STANDS, 4.5)).toEqual([]))
  it('every line and series is told from its ground', () => expect(low(SHAPES, 3)).toEqual([]))
})
