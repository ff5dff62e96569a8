import type { Like } from '../../language/like'
import type zh from './words.zh'

const words: Like<typeof zh> = {
  title: 'Viewings',
  looks: 'Looks at personal data',
  signIns: 'Sign-ins',
  at: 'When',
  login: 'Login',
  what: 'What was looked at',
  caseNo: 'Case',
  reason: 'Reason',
  outcome: 'Outcome',
  way: 'With',
  address: 'From',
  since: 'From',
  until: 'Until',
  any: 'All',
  csv: 'CSV',
  csvMost: 'The newest {n} were written; for older ones choose a shorter time',
  noCase: 'of no case in particular',
  nothing: 'Nothing fits',
  whats: {
    reporter: 'Name and telephone',
    message: 'A message as it came',
    evidence: 'Evidence unmasked',
    telephone: 'Cases by telephone',
  },
  outcomes: {
    in: 'signed in',
    wrong: 'wrong login, password or code',
    code_needed: 'code asked for',
    locked: 'refused: locked',
    disabled: 'refused: closed account',
    out: 'signed out',
    unlocked: 'unlocked',
  },
  ways: {
    password: 'password',
    oidc: 'city’s provider',
    own: 'own password or codes changed',
    others: 'signed out elsewhere',
    administrator: 'administrator',
    token: 'machine’s token',
  },
}
export default words
