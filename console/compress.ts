/** What is served compressed is compressed here, once, and as well as can be. */

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

import type { Plugin } from 'vite'

const WORTH = /\.(?:js|css|html|svg|json)$/
const SMALLEST = 1024

export function compressed(): Plugin {
  let folder = ''
  return {
    name: 'gridhub-compressed',
    apply: 'build',
    configResolved(config) {
      folder = config.build.outDir
    },
    closeBundle() {
      for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
        const file = join(folder, name)
        if (!WORTH.test(name) || name.startsWith('.vite') || statSync(file).size < SMALLEST) continue
        const content = readFileSync(file)
        const hint = { [constants.BROTLI_PARAM_SIZE_HINT]: content.length }
        writeFileSync(`${file}.br`, brotliCompressSync(content, { params: hint }))
        writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }))
      }
    },
  }
}
