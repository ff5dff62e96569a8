import { expect, test } from 'vitest'

import { csv } from './csv'

test('what begins like a formula is a text', () => {
  expect(csv(['a'], [['=HYPERLINK("x")'], ['+1'], ['-1'], ['@x'], ['\t=1']])).toBe(
    `a\r\n"'=HYPERLINK(""x"")"\r\n'+1\r\n'-1\r\n'@x\r\n'\t=1\r\n`,
  )
})

test('separators, quotes, lines and outer spaces are quoted', () => {
  expect(csv(['a,b', 'c"d'], [['e\nf', ' g']])).toBe('"a,b","c""d"\r\n"e\nf"," g"\r\n')
})
