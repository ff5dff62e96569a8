import type { Like } from '../language/like'
import type zh from './signIn.words.zh'

const words: Like<typeof zh> = {
  title: 'Sign in',
  login: 'Login',
  password: 'Password',
  code: 'One-time code',
  codeHint: 'The six digits that your authenticator shows.',
  submit: 'Sign in',
  other: 'or with the city’s single sign-on',
  elsewhere: 'The single sign-on did not let you in ({why}).',
  refusals: {
    provider: 'The provider did not answer, or did not agree; a local account still works.',
    forged: 'It took too long, or began in another browser: begin again.',
    no_account: 'Nobody has made an account for you yet; ask the administrator.',
    no_group: 'None of your groups is let in; ask the administrator.',
    login_taken: 'Another account has your login; ask the administrator.',
    disabled: 'Your account is closed; ask the administrator.',
  },
  capsLock: 'Caps Lock is on',
  locked: 'Too many wrong attempts: the login is locked for now',
  lockedFor: 'Try again in {span}, or ask the administrator to unlock it.',
  ended: 'Your session has ended',
  endedText: 'Nothing happened for long, or you signed out elsewhere. Sign in and go on: what you typed is still here.',
  leave: 'Another account, or single sign-on (leaves this page)',
  codeNeeded: 'Please enter the one-time code',
  loginNeeded: 'Please enter your login',
  passwordNeeded: 'Please enter your password',
  note: 'Each sign-in, and each look at personal data, is recorded.',
}
export default words
