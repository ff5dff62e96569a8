import { flushPromises, mount } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createMemoryHistory, type Router } from 'vue-router'

import App from '../App.vue'
import { speak } from '../language/language'
import { en, zh } from '../language/tables'
import { PAGES } from '../pages'
import { forget, type Right } from '../session/session'
import { leaveWall, look, theme } from './theme'
import { makeRouter, safeReturn } from './router'

const EVERY = [...new Set(PAGES.map((page) => page.right))].filter((right) => right !== null)

/** What the hub would answer; the network is the browser tests' (tests/console). */
function signedIn(rights: Right[] | null, owed: string[] = []): void {
  const person = {
    login: 'wang.min', name: '示例王', role: 'city_centre', role_title: '市级中心', rights, owed, codes: false,
    way: 'password', scope: { areas: [], classes: [], systems: [], units: [] },
  }
  const nobody = { error: { code: 'unauthenticated', text: 'nobody' } }
  const nothing = { error: { code: 'not_found', text: 'no such path' } } // pages say so, and go on
  vi.stubGlobal('fetch', (path: string) => {
    if (rights === null) return Promise.resolve(Response.json(nobody, { status: 401 }))
    const known = path === '/api/session'
    return Promise.resolve(
      known ? Response.json({ person, city: { name: '芜湖市', code: '3402' } }) : Response.json(nothing, { status: 404 }),
    )
  })
}

let router: Router

async function opened(path: string) {
  router = makeRouter(createMemoryHistory())
  void router.push(path)
  await router.isReady()
  const app = mount(App, { global: { plugins: [router] }, attachTo: document.body })
  await flushPromises()
  return app
}

beforeEach(() => {
  forget()
  vi.stubGlobal('EventSource', class extends EventTarget {
    close(): void {
      // nothing to close
    }
  })
})

afterEach(() => {
  vi.unstubAllGlobals()
  look('light')
})

describe('the frame', () => {
  it('has a place for each page that somebody may open, and for no other', async () => {
    signedIn(['see'])
    const app = await opened('/')
    const menu = app.find('nav').findAll('a').map((link) => link.text())

    expect(menu).toEqual(['驾驶舱', '一张图', '时限看板', '案件', '考核'])
    app.unmount()
  })

  it('opens every page of the table, with its title in both languages', async () => {
    signedIn(EVERY)
    const app = await opened('/')
    for (const page of PAGES) {
      await router.push(page.path.replace(':no', '230000352'))
      await vi.waitFor(() => expect(app.find('main h1').text()).toContain(zh[page.name].title))
      expect(document.title).toContain(zh[page.name].title)
      speak('en')
      await flushPromises()
      expect(document.title).toContain(en[page.name].title)
      speak('zh')
    }
    app.unmount()
  }, 60_000) // the first to load them all

  it('leads to the search and back out of the wall by keys', async () => {
    signedIn(EVERY)
    const app = await opened('/')
    document.dispatchEvent(new KeyboardEvent('keydown', { key: '/', bubbles: true, cancelable: true }))
    expect(document.activeElement?.getAttribute('type')).toBe('search')

    look('wall')
    await flushPromises()
    expect([app.find('nav').exists(), document.documentElement.dataset.theme]).toEqual([false, 'wall'])
    document.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))
    await flushPromises()
    expect([theme.value, app.find('nav').exists()]).toEqual(['light', true])
    app.unmount()
  })

  it('searches cases from anywhere', async () => {
    signedIn(EVERY)
    const app = await opened('/systems')
    await app.find('input[type=search]').setValue(' 230000352 ')
    await app.find('form[role=search]').trigger('submit')
    await flushPromises()

    expect(router.currentRoute.value.fullPath).toBe('/cases?q=230000352')
    app.unmount()
  })
})

describe('whoever is not signed in', () => {
  it('signs in first, and comes back to where they were', async () => {
    signedIn(null)
    const app = await opened('/cases/230000352')
    expect(router.currentRoute.value.fullPath).toBe('/sign-in?to=/cases/230000352')

    signedIn(EVERY)
    await app.find('#login').setValue('wang.min')
    await app.find('#password').setValue('an invented password')
    await app.find('form').trigger('submit')
    await vi.waitFor(() => expect(router.currentRoute.value.path).toBe('/cases/230000352'))
    app.unmount()
  })

  it('is asked for a code when one is needed, and told what is wrong', async () => {
    signedIn(null)
    const app = await opened('/sign-in')
    const refuse = (code: string, text: string) =>
      vi.stubGlobal('fetch', () => Promise.resolve(Response.json({ error: { code, text } }, { status: 401 })))
    refuse('code_needed', 'a one-time code is needed')
    await app.find('#login').setValue('wang.min')
    await app.find('#password').setValue('an invented password')
    await app.find('form').trigger('submit')
    await vi.waitFor(() => expect(app.find('#code').exists()).toBe(true))
    expect(app.find('[role=alert]').exists()).toBe(false)

    refuse('wrong', 'login, password or code is wrong')
    await app.find('#code').setValue('123456')
    await app.find('form').trigger('submit')
    await vi.waitFor(() => expect(app.find('[role=alert]').text()).toContain('账号、密码或动态口令不正确'))
    app.unmount()
  })

  it('is never sent elsewhere by a link', () => {
    const wanted = ['/cases?q=1', 'https://elsewhere.example', '//elsewhere.example', '/\\elsewhere.example', undefined]
    expect(wanted.map(safeReturn)).toEqual(['/cases?q=1', '/', '/', '/', '/'])
  })
})

describe('whoever may not', () => {
  it('is told so for a page, and led to their own at the start', async () => {
    signedIn(['audit'])
    const app = await opened('/')
    expect(router.currentRoute.value.path).toBe('/viewings')

    await router.push('/systems')
    await flushPromises()
    expect(app.find('main').text()).toContain('您的角色不能打开“平台监测”')
    app.unmount()
  })

  it('must first do what is owed', async () => {
    signedIn([], ['password'])
    const app = await opened('/cases')

    expect(router.currentRoute.value.path).toBe('/account')
    app.unmount()
  })
})

it('the wall leads back to the look that was before', () => {
  look('dark')
  look('wall')
  leaveWall()

  expect([theme.value, document.documentElement.classList.contains('dark')]).toEqual(['dark', true])
})
