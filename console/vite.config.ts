import vue from '@vitejs/plugin-vue'
import styles from 'unplugin-element-plus/vite'
import { configDefaults, defineConfig } from 'vitest/config'

import { compressed } from './compress.ts'

export default defineConfig({
  base: '/console/',
  plugins: [vue(), styles({}), compressed()],
  build: {
    // Chromium of the last Debian, and what government desktops have of the same age.
    target: ['chrome109', 'firefox115', 'safari16'],
    manifest: true,
    // An asset written into the script as data: would need a wider content policy than the hub sends.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
    reportCompressedSize: false,
  },
  // For whoever writes pages: `npm run dev` beside a hub. GRIDHUB_URL says where it is.
  server: {
    proxy: Object.fromEntries(
      ['/api', '/ogc'].map((path) => [path, { target: process.env.GRIDHUB_URL ?? 'http://127.0.0.1:8080' }]),
    ),
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts'],
    exclude: configDefaults.exclude,
    setupFiles: ['src/kit/testing.ts'],
    server: { deps: { inline: ['element-plus'] } },
    // Whatever zone the machine has, times are those of Shanghai: a zone far away shows where that was forgotten.
    env: { TZ: 'America/Los_Angeles' },
  },
})
