/** Every word of the console, in both languages. A key that one of them lacks does not compile. */

import actingEn from '../kit/acting/words.en'
import actingZh from '../kit/acting/words.zh'
import accountEn from '../pages/account/words.en'
import appealsEn from '../pages/appeals/words.en'
import assessmentEn from '../pages/assessment/words.en'
import caseEn from '../pages/case/words.en'
import casesEn from '../pages/cases/words.en'
import clocksEn from '../pages/clocks/words.en'
import cockpitEn from '../pages/cockpit/words.en'
import dispatchEn from '../pages/dispatch/words.en'
import mapEn from '../pages/map/words.en'
import messagesEn from '../pages/messages/words.en'
import peopleEn from '../pages/people/words.en'
import quarantineEn from '../pages/quarantine/words.en'
import replaysEn from '../pages/replays/words.en'
import systemsEn from '../pages/systems/words.en'
import viewingsEn from '../pages/viewings/words.en'
import noRightEn from '../session/noRight.words.en'
import signInEn from '../session/signIn.words.en'
import shellEn from '../shell/words.en'
import sharedEn from './words.en'
import accountZh from '../pages/account/words.zh'
import appealsZh from '../pages/appeals/words.zh'
import assessmentZh from '../pages/assessment/words.zh'
import caseZh from '../pages/case/words.zh'
import casesZh from '../pages/cases/words.zh'
import clocksZh from '../pages/clocks/words.zh'
import cockpitZh from '../pages/cockpit/words.zh'
import dispatchZh from '../pages/dispatch/words.zh'
import mapZh from '../pages/map/words.zh'
import messagesZh from '../pages/messages/words.zh'
import peopleZh from '../pages/people/words.zh'
import quarantineZh from '../pages/quarantine/words.zh'
import replaysZh from '../pages/replays/words.zh'
import systemsZh from '../pages/systems/words.zh'
import viewingsZh from '../pages/viewings/words.zh'
import noRightZh from '../session/noRight.words.zh'
import signInZh from '../session/signIn.words.zh'
import shellZh from '../shell/words.zh'
import sharedZh from './words.zh'
import type { Like } from './like'

export const zh = {
  shared: sharedZh,
  acting: actingZh,
  cockpit: cockpitZh,
  map: mapZh,
  systems: systemsZh,
  clocks: clocksZh,
  cases: casesZh,
  case: caseZh,
  dispatch: dispatchZh,
  messages: messagesZh,
  quarantine: quarantineZh,
  replays: replaysZh,
  assessment: assessmentZh,
  appeals: appealsZh,
  people: peopleZh,
  viewings: viewingsZh,
  account: accountZh,
  signIn: signInZh,
  noRight: noRightZh,
  shell: shellZh,
} as const

export type Words = Like<typeof zh>

export const en: Words = {
  shared: sharedEn,
  acting: actingEn,
  cockpit: cockpitEn,
  map: mapEn,
  systems: systemsEn,
  clocks: clocksEn,
  cases: casesEn,
  case: caseEn,
  dispatch: dispatchEn,
  messages: messagesEn,
  quarantine: quarantineEn,
  replays: replaysEn,
  assessment: assessmentEn,
  appeals: appealsEn,
  people: peopleEn,
  viewings: viewingsEn,
  account: accountEn,
  signIn: signInEn,
  noRight: noRightEn,
  shell: shellEn,
}
